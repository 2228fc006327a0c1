"""The life of a gateway: sockets, loop, signals, drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from quantdeck_core.loopback import is_loopback
from quantdeck_gateway.access_log import AccessLog
from quantdeck_gateway.analyser_link import AnalyserLink
from quantdeck_gateway.answer_id import AnswerIds
from quantdeck_gateway.api_keys import Keys
from quantdeck_gateway.client import ClientConnection, Handler
from quantdeck_gateway.control import ControlPlane
from quantdeck_gateway.data_plane import DataPlane
from quantdeck_gateway.probe import Prober
from quantdeck_gateway.settings import Settings
from quantdeck_gateway.sockets import UnixListener, listen_tcp
from quantdeck_gateway.table import RoutingTable
from quantdeck_gateway.tee import Tee

_TICK_S = 1.0
_DRAIN_POLL_S = 0.02

log = logging.getLogger("quantdeck.gateway")


class Gateway:
    """A running gateway.

    Raises:
        QuantdeckError: it cannot listen where it should; nothing is left behind then.
    """

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings, self._loop = settings, loop
        self._clients: set[ClientConnection] = set()
        self._operators: set[ClientConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._unix: list[UnixListener] = []
        self._keys = Keys(required=not is_loopback(settings.host))
        self._table = RoutingTable(AnswerIds(settings.answer_key), self._keys)
        self._table.apply(settings.config)
        self._prober = Prober(loop, self._table, settings.probe_s)
        self._told_to_end = asyncio.Event()
        self._analyser: AnalyserLink | None = None
        self._tee: Tee | None = None
        self._control: ControlPlane | None = None
        self._reading: asyncio.Task[None] | None = None
        self._access_log: AccessLog | None = None
        self._tick_timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish what is in flight.

        Raises:
            QuantdeckError: it cannot listen where it should.
        """
        try:
            await self._start()
            await self._told_to_end.wait()
            await self._drain()
        finally:
            await self._stop()
        log.info("ended")

    async def _start(self) -> None:
        settings, loop = self._settings, self._loop
        _allow_many_files()
        if settings.access_log:
            self._access_log = AccessLog(loop, settings.access_log)
        listener = listen_tcp(settings.host, settings.port)
        listen = "{}:{}".format(*listener.getsockname()[:2])
        if settings.signals:
            signals = self._listen_unix(settings.signals)
            self._analyser = AnalyserLink(loop, signals.socket, self._batch_lost, self._table.count_tokens)
            self._tee = Tee(loop, self._analyser)
            self._analyser.start()
        drain = self._told_to_end.set
        control = ControlPlane(loop, self._table, self._tee, settings.config_path, settings.lease_s, listen, drain)
        self._control = control
        if settings.control:
            path = self._listen_unix(settings.control)
            factory = _factory(control, self._operators)
            self._servers.append(await loop.create_unix_server(factory, sock=path.socket))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, drain)
        loop.add_signal_handler(signal.SIGHUP, self._read_again)
        plane = DataPlane(loop, self._table, self._tee, settings.deadlines, self._access_log)
        self._servers.insert(0, await loop.create_server(_factory(plane, self._clients), sock=listener, backlog=4096))
        self._tick_timer = loop.call_later(_TICK_S, self._tick)
        _spare_the_collector()
        if self._keys.asked and not self._table.config.api_keys:
            log.warning("other machines reach %s, and there is no API key: requests are refused until there is", listen)
        log.info("ready on %s, revision %d", listen, self._table.config.revision)

    def _listen_unix(self, path: Path) -> UnixListener:
        listener = UnixListener(path)
        self._unix.append(listener)
        return listener

    def _read_again(self) -> None:
        if self._control is not None:
            self._reading = self._loop.create_task(self._control.read_again())

    def _batch_lost(self) -> None:
        if self._tee is not None:
            self._tee.lost()

    def _tick(self) -> None:
        """Deadlines are counted in seconds by one timer: a timer for each request would cost more than the request."""
        for client in [*self._clients, *self._operators]:
            client.tick()
        if self._tee is not None:
            self._tee.tick()
        if self._control is not None:
            self._control.tick()
        self._table.tick()
        if self._access_log is not None:
            self._access_log.tick()
        for route in self._table.all():
            for arm in route.arms:
                arm.shadows.tick(self._settings.deadlines)
        now = self._loop.time()
        for route in self._table.live:
            route.second(time.monotonic())
            for replica in route.control.replicas + route.treatment.replicas:
                replica.close_stale(now)
        self._prober.tick(now)
        self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    async def _drain(self) -> None:
        """Stop accepting, and wait for the answers in flight."""
        self._servers[0].close()
        for client in list(self._clients):
            client.drain()
        log.info("ending; %d answers in flight", len(self._clients))
        deadline = self._loop.time() + self._settings.deadlines.drain
        while self._clients and self._loop.time() < deadline:
            await asyncio.sleep(_DRAIN_POLL_S)
        if self._clients:
            log.warning("%d answers were cut off after %g s", len(self._clients), self._settings.deadlines.drain)

    async def _stop(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._prober.stop()
        for server in self._servers:
            server.close()
        for operator in list(self._operators):
            operator.drain()  # who asked for the end is answered
        for client in list(self._clients):
            client.abort()
        for route in self._table.all():
            for arm in route.arms:
                arm.overload.stop()
                arm.shadows.cancel()
            for replica in route.control.replicas + route.treatment.replicas:
                replica.close_idle()
        if self._tee is not None:
            self._tee.flush()
        if self._analyser is not None:
            await self._analyser.stop()
        for listener in self._unix:
            listener.close()
        await asyncio.sleep(0)  # closed transports say so in the loop's next round
        if self._access_log is not None:
            await self._access_log.stop()


def _factory(handler: Handler, registry: set[ClientConnection]) -> Callable[[], ClientConnection]:
    return lambda: ClientConnection(handler, registry)


def _allow_many_files() -> None:
    """Two descriptors a stream: the usual soft limit of 1,024 would end at 500 streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spare_the_collector() -> None:
    """A request makes no reference cycles, so looking for them every 700 allocations only costs (9 % of the time)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(settings: Settings) -> None:
    """Run a gateway until it is told to end.

    Raises:
        QuantdeckError: it cannot listen where it should.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:

        async def main() -> None:
            await Gateway(settings, asyncio.get_running_loop()).run()

        runner.run(main())
