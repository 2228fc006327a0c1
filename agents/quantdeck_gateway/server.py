"""The life of a gateway: the leader, who is a worker too, from its sockets to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.gateway import GatewayConfig
from quantdeck_gateway.analyser_link import AnalyserProcess
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.control import ControlPlane
from quantdeck_gateway.door import allow_many_files
from quantdeck_gateway.fleet import Fleet
from quantdeck_gateway.lease import Leases
from quantdeck_gateway.messages import (
    Apply,
    AskMetrics,
    AskReport,
    Done,
    Failed,
    Inherit,
    Lapse,
    Message,
    Metrics,
    Retire,
)
from quantdeck_gateway.serving import Serving, loop_factory
from quantdeck_gateway.settings import Settings
from quantdeck_gateway.sockets import UnixListener, listen_tcp
from quantdeck_gateway.upgrade import Predecessor, Successor, UpgradeFailedError

_TICK_S = 1.0
_POLL_S = 0.01
_LAST_ASKS_S = 0.25

log = logging.getLogger("quantdeck.gateway")


class Gateway:
    """A running gateway.

    Raises:
        QuantdeckError: it cannot listen where it should; nothing is left behind then.
    """

    _serving: Serving
    _fleet: Fleet

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings, self._worker, self._loop = settings, settings.worker, loop
        self._operators: set[ClientConnection] = set()
        self._listeners: list[socket.socket] = []
        self._unix: list[UnixListener] = []
        self._control_server: asyncio.Server | None = None
        self._analyser: AnalyserProcess | None = None
        self._leases = Leases(settings.lease_s, loop.time())
        self._control: ControlPlane | None = None
        self._successor: Successor | None = None
        self._processes = AsyncExitStack()
        self._ending = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until a successor does; then finish what is in flight.

        Raises:
            QuantdeckError: it cannot listen where it should.
        """
        try:
            await self._start()
            await self._ending.wait()
            await self._serving.ended()
            await self._fleet.ended()
            await self._last_asks()
        finally:
            await self._stop()
        log.info("ended")

    async def _start(self) -> None:
        allow_many_files()
        if self._settings.inherit is None:
            await self._open(self._settings.config, None)
            return
        predecessor = Predecessor(self._loop)
        inherit = await predecessor.meet(self._settings.inherit)
        self._listeners = [socket.socket(fileno=descriptor) for descriptor in inherit.listeners]
        self._leases = Leases(self._settings.lease_s, self._loop.time(), inherit.leases)
        self._worker = msgspec.structs.replace(self._worker, answer_key=inherit.answer_key)
        try:
            await self._open(inherit.config, predecessor)
        except QuantdeckError as error:
            await predecessor.told(Failed(error.detail))
            raise
        if self._ending.is_set():
            await predecessor.told(Failed("it was told to end"))
            return
        await predecessor.told(Done())
        predecessor.channel.ask(Retire(gentle=True))

    async def _open(self, config: GatewayConfig, predecessor: Predecessor | None) -> None:
        settings, loop = self._settings, self._loop
        if not self._listeners:
            self._listeners = listen_tcp(settings.host, settings.port, settings.workers)
        listen = "{}:{}".format(*self._listeners[0].getsockname()[:2])
        worker = self._worker
        if settings.signals:
            answers = settings.signals.with_name(f"{settings.signals.name}.in")
            signals, inlet = self._listen_unix(settings.signals), self._listen_unix(answers)
            self._analyser = AnalyserProcess(loop, signals.socket, inlet.socket)
            self._analyser.start()
            worker = msgspec.structs.replace(worker, answers=str(answers))
        self._serving = Serving(loop, config, worker, self._metrics)
        self._processes.push_async_callback(self._serving.stop)
        self._fleet = Fleet(loop, config, self._serving, worker, self._listeners)
        self._processes.push_async_callback(self._fleet.stop)
        self._fleet.set_lapsed(self._leases.lapsed(), self._leases.late())
        self._control = control = ControlPlane(
            loop, self._fleet, self._leases, settings.config_path, listen, self._retire, self._upgrade
        )
        if settings.control:
            listener = self._listen_unix(settings.control)
            self._control_server = await loop.create_unix_server(
                lambda: ClientConnection(control, self._operators, worker.deadlines), sock=listener.socket
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._retire)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(control.read_again()))
        loop.add_signal_handler(signal.SIGUSR2, lambda: self._keep(self._try_upgrade()))
        await self._fleet.start()
        if self._ending.is_set():
            return
        for one in self._unix:
            one.publish()
        await self._fleet.begin()
        if self._ending.is_set():
            return
        self._serving.start()
        await self._serving.door.open(self._listeners[0])
        if predecessor is not None:
            self._fleet.follow(predecessor)
        self._keep(self._tick())
        if worker.keys_required and not config.api_keys:
            log.warning("other machines reach %s, and there is no API key: requests are refused until there is", listen)
        log.info("ready on %s, revision %d", listen, config.revision)

    def _listen_unix(self, path: Path) -> UnixListener:
        listener = UnixListener(path)
        self._unix.append(listener)
        return listener

    async def _metrics(self) -> str:
        return await self._fleet.metrics()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for operator in list(self._operators):
                operator.tick()
            if self._control is not None and not self._fleet.retired:
                self._control.tick()
            await self._fleet.look_after()

    def _keep(self, coroutine: Awaitable[object]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Ending, and being followed by another.

    async def _try_upgrade(self) -> None:
        try:
            await self._upgrade(None)
        except QuantdeckError as error:
            log.error("%s %s", error.detail, error.hint)

    async def _upgrade(self, python: str | None) -> int:
        """Start a successor and let it take over; returns its process id.

        Raises:
            UpgradingError: one is being started already.
            UpgradeFailedError: it did not come up; this one goes on.
        """
        async with self._fleet.changing():
            self._fleet.frozen = True
        try:
            self._successor = successor = Successor(self._loop, self._answer_successor)
            inherit = Inherit(
                listeners=tuple(listener.fileno() for listener in self._listeners),
                log=sys.stderr.fileno(),
                config=self._fleet.config,
                pid=os.getpid(),
                leases=self._leases.idle(),
                answer_key=self._worker.answer_key,
            )
            pid = await successor.start(python or sys.executable, self._settings.argv, inherit)
        except UpgradeFailedError:
            if all(one.in_place() for one in self._unix):
                self._fleet.frozen = False
            else:
                self._retire()  # it ended in the moment in which it took over: whoever looks after us starts another
            raise
        self._keep(self._outlive(successor))
        log.info("process %d takes over", pid)
        return pid

    async def _outlive(self, successor: Successor) -> None:
        """Without a successor nobody could change the split here any more."""
        await successor.gone.wait()
        self._retire()

    def _answer_successor(self, message: Message) -> Message | Awaitable[Message]:
        if isinstance(message, Retire):
            self._retire(gentle=message.gentle)
            return Done()
        if isinstance(message, Apply):
            return self._apply(message.config)
        if isinstance(message, Lapse):
            self._fleet.set_lapsed(message.lapsed, message.late)
            return Done()
        if isinstance(message, AskReport):
            return self._fleet.report()
        if isinstance(message, AskMetrics):
            return self._all_metrics()
        return Failed("a predecessor does not do that")

    async def _apply(self, config: GatewayConfig) -> Message:
        await self._fleet.apply(config)
        return Done()

    async def _all_metrics(self) -> Message:
        return Metrics(await self._fleet.metrics())

    def _retire(self, *, gentle: bool = False) -> None:
        """Accept no more, and end with the last answer."""
        if self._successor is not None and not gentle:
            self._successor.abandon()
        self._fleet.frozen = True
        self._fleet.retire(gentle=gentle)
        self._serving.retire(gentle=gentle)
        for listener in self._listeners:
            listener.close()
        if gentle and self._analyser is not None:
            self._analyser.retire()
        if gentle:
            self._fleet.retired = True
            for operator in list(self._operators):
                operator.drain()
        self._ending.set()

    async def _last_asks(self) -> None:
        """Who connected to the control socket in the moment of a change still gets an answer."""
        if self._fleet.retired:
            await asyncio.sleep(_LAST_ASKS_S)
        end = self._loop.time() + _LAST_ASKS_S
        while any(operator.busy for operator in self._operators) and self._loop.time() < end:
            await asyncio.sleep(_POLL_S)

    async def _stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._control_server is not None:
            self._control_server.close()
        for operator in list(self._operators):
            operator.drain()  # who asked for the end is answered
        await self._processes.aclose()
        if self._analyser is not None:
            await self._analyser.stop()
        for one in self._unix:
            one.close()
        for listener in self._listeners:
            listener.close()
        await asyncio.sleep(0)  # closed transports say so in the loop's next round


def run(settings: Settings) -> None:
    """Run a gateway until it is told to end.

    Raises:
        QuantdeckError: it cannot listen where it should.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:

        async def main() -> None:
            await Gateway(settings, asyncio.get_running_loop()).run()

        runner.run(main())
