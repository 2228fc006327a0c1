"""What every worker does, the leader among them: accept clients, split them, and hand on their answers."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from quantdeck_core.protocol.gateway import GatewayConfig, LeaseStatus
from quantdeck_gateway.access_log import AccessLog
from quantdeck_gateway.answer_id import AnswerIds
from quantdeck_gateway.api_keys import Keys
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.data_plane import DataPlane
from quantdeck_gateway.door import Door, allow_many_files
from quantdeck_gateway.handover import TokenCount
from quantdeck_gateway.limits import RETIRED_S
from quantdeck_gateway.messages import Report
from quantdeck_gateway.metrics import Process, prometheus_text
from quantdeck_gateway.outlet import AnalyserOutlet
from quantdeck_gateway.probe import Prober
from quantdeck_gateway.relay import Pump
from quantdeck_gateway.settings import WorkerSettings
from quantdeck_gateway.table import RoutingTable
from quantdeck_gateway.tee import Tee

_TICK_S = 1.0
_POLL_S = 0.02
_READ_OUT_S = 2.0
_SWITCH_S = 0.0002
"""A busy loop gives way to a thread that has come back from the disk only after this long, and keeping a config comes
back eight times. Python's 5 ms would make a change wait for 40."""

log = logging.getLogger("quantdeck.gateway")

LeaseOf = Callable[[str], LeaseStatus | None]


def no_lease(experiment: str) -> LeaseStatus | None:
    """Where leases are not known."""
    return None


class Serving:
    """One process's part of the data plane.

    Args:
        config: its share.
        metrics: of the whole gateway.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: GatewayConfig,
        settings: WorkerSettings,
        metrics: Callable[[], Awaitable[str]],
    ) -> None:
        self._loop, self._deadlines = loop, settings.deadlines
        self._keys = Keys(required=settings.keys_required)
        self.table = RoutingTable(AnswerIds(settings.answer_key), self._keys)
        self.table.apply(config)
        self.outlet: AnalyserOutlet | None = None
        if settings.answers:
            self.outlet = AnalyserOutlet(loop, Path(settings.answers), self._batch_read, self._batches_lost)
        self.tee = Tee(loop, self.outlet) if self.outlet else None
        self._clients: set[ClientConnection] = set()
        self._access_log = AccessLog(loop, Path(settings.access_log)) if settings.access_log else None
        self._pump = Pump(loop)
        plane = DataPlane(loop, self._pump, self.table, self.tee, settings.deadlines, metrics, self._access_log)
        deadlines = settings.deadlines
        self.door = Door(loop, lambda: ClientConnection(plane, self._clients, deadlines), self._clients)
        self._prober = Prober(loop, self.table, settings.probe_s)
        self._tick_timer: asyncio.TimerHandle | None = None
        self._end_by = float("inf")

    def start(self) -> None:
        """Begin with what goes on by itself; `door` lets clients in."""
        allow_many_files()
        if self.outlet is not None:
            self.outlet.start()
        self._tick_timer = self._loop.call_later(_TICK_S, self._tick)
        _spare_the_collector()
        sys.setswitchinterval(_SWITCH_S)

    def report(self, lease: LeaseOf = no_lease) -> Report:
        """What this process counted; `lease` knows each experiment's."""
        sampled_out = self.tee.sampled_out if self.tee else 0
        return Report(self.table.status(lease), self._dropped(), sampled_out)

    def metrics(self) -> str:
        """What this process counted, for Prometheus."""
        return prometheus_text(self.table.all(), Process(self.tee, self._keys, self._access_log))

    def _dropped(self) -> int:
        return self.tee.dropped if self.tee else 0

    def _batch_read(self, receipt: list[TokenCount]) -> None:
        if self.tee is not None:
            self.tee.read()
        for count in receipt:
            self.table.count_tokens(count)

    def _batches_lost(self) -> None:
        if self.tee is not None:
            self.tee.lost()

    def _tick(self) -> None:
        """Deadlines are counted in seconds by one timer: a timer for each request would cost more than the request."""
        for client in list(self._clients):
            client.tick()
        if self.tee is not None:
            self.tee.tick()
        self.table.tick()
        if self._access_log is not None:
            self._access_log.tick()
        for route in self.table.all():
            for arm in route.arms:
                arm.shadows.tick(self._deadlines)
        now = self._loop.time()
        for route in self.table.live:
            route.second(time.monotonic())
            for replica in route.control.replicas + route.treatment.replicas:
                replica.close_stale(now)
        self._prober.tick(now)
        self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    def retire(self, *, gentle: bool) -> None:
        """Accept no more; `ended` waits for the answers in flight. May be told again, then less gently."""
        self.door.close_all()
        for client in list(self._clients):
            client.drain(gentle=gentle)
        log.info("ending; %d connections are open", len(self._clients))
        self._end_by = min(self._end_by, self._loop.time() + (RETIRED_S if gentle else self._deadlines.drain))
        if gentle and self.outlet is not None:
            self.outlet.move()

    async def ended(self) -> None:
        """Return when the last client has gone, or at the deadline."""
        while self._clients and self._loop.time() < self._end_by:
            await asyncio.sleep(_POLL_S)
        if self._clients:
            log.warning("%d connections were cut off at the deadline", len(self._clients))

    async def stop(self) -> None:
        """End all that is left; what was answered is still analysed."""
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._prober.stop()
        self.door.close_all()
        for client in list(self._clients):
            client.abort()
        for route in self.table.all():
            for arm in route.arms:
                arm.overload.stop()
                arm.shadows.cancel()
            for replica in route.control.replicas + route.treatment.replicas:
                replica.close_idle()
        if self.tee is not None and self.outlet is not None:
            self.tee.flush_all()
            await self.outlet.stop(_READ_OUT_S)
        await asyncio.sleep(0)  # closed transports say so in the loop's next round
        self._pump.close()
        if self._access_log is not None:
            await self._access_log.stop()


def _spare_the_collector() -> None:
    """A request makes no reference cycles, so looking for them every 700 allocations only costs (9 % of the time)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The fastest loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
