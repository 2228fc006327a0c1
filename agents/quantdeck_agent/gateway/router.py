"""Keeps the gateway's config equal to what the agent wants, whatever happens in between."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Protocol

from quantdeck_agent import __version__
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.latencies import ArmLatencies
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.hub import Hub
from quantdeck_agent.process.identity import ResidentMemory
from quantdeck_core.engines.metrics import Rate
from quantdeck_core.errors import QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.health.condition import NO_EPISODES, follow
from quantdeck_core.health.gateway_conditions import gateway_conditions
from quantdeck_core.protocol.gateway import ApiKey, ArmCounters, ExperimentRoute, GatewayConfig, GatewayStatus
from quantdeck_core.protocol.host import GatewayView

RETRY_S = 0.2
REFRESH_S = 1.0
DRAIN_DEADLINE_S = 120.0
DRAIN_POLL_S = 0.1
RESTART_FIRST_S = 0.05
RESTART_MOST_S = 5.0
STEADY_S = 10.0
"""A gateway that lived this long is started again at once."""


class Judge(Protocol):
    """Who decides what the gateway should serve."""

    def routes(self) -> tuple[ExperimentRoute, ...]:
        """What it should serve; asked again before every attempt, so that an old wish is never sent late."""

    def settled(self) -> None:
        """The gateway has acknowledged what is wanted."""

    def judged(self) -> tuple[str, ...]:
        """Experiments whose answers are heard and acted on now."""

    def lapse_ended(self, experiment: str, seconds: float) -> None:
        """The gateway had no judge for so long, and has one again."""

    def latched_elsewhere(self, experiment: str) -> None:
        """Somebody has latched it on the gateway itself."""


class Router:
    """Sends routes, retries until they are acknowledged, renews the lease, and restarts a gateway that died.

    Args:
        keys: API keys that its clients need, asked again before every attempt.

    Attributes:
        latencies: how long users of each arm wait.
    """

    def __init__(
        self,
        process: GatewayProcess,
        control: GatewayControl,
        hub: Hub,
        judge: Judge,
        keys: Callable[[], tuple[ApiKey, ...]] = tuple,
    ) -> None:
        self._process, self._control, self._hub = process, control, hub
        self._judge, self._keys = judge, keys
        self._lock = asyncio.Lock()
        self._revision = self._newest = 0
        self._sent: tuple[ExperimentRoute, ...] | None = None
        self._sent_keys: tuple[ApiKey, ...] | None = None
        self._status: GatewayStatus | None = None
        self.latencies = ArmLatencies()
        self._rate = Rate()
        self._memory = ResidentMemory()
        self._episodes = NO_EPISODES
        self._restart_s = RESTART_FIRST_S
        self._started = 0.0
        self._upgrade_asked = False

    @property
    def revision(self) -> int:
        """The last one that the gateway acknowledged."""
        return self._revision

    @property
    def running(self) -> bool:
        """Whether it answered its control socket the last time."""
        return self._status is not None

    def acknowledged(self, route: ExperimentRoute) -> bool:
        """Whether the gateway serves exactly this."""
        return self._sent is not None and route in self._sent

    def counters(self, experiment: str) -> tuple[ArmCounters, ArmCounters] | None:
        """Counters of control and treatment, None where they are not known."""
        for route in self._status.routes if self._status else ():
            if route.name == experiment:
                return route.control, route.treatment
        return None

    def lapsed(self, experiment: str) -> bool:
        """Whether the gateway says that nobody judges it."""
        routes = self._status.routes if self._status else ()
        return any(one.name == experiment and one.lease is not None and one.lease.lapsed for one in routes)

    async def push(self) -> None:
        """Make the gateway serve what is wanted now.

        Raises:
            QuantdeckError: it could not be told; `keep` goes on trying.
        """
        async with self._lock:
            wanted, keys = self._judge.routes(), self._keys()
            # Who knows of no experiment has a new state, or has lost it: what the gateway serves goes on.
            lost = self._sent is None and not wanted
            if (lost and not keys) or (wanted == self._sent and keys == self._sent_keys):
                self._judge.settled()
                return
            await self._send(keys)

    async def rehearse(self) -> float:
        """Send what is wanted although the gateway may serve it already; milliseconds until it had acknowledged that.

        Raises:
            QuantdeckError: it could not be told.
        """
        async with self._lock:
            began = time.monotonic()
            await self._send(self._keys())
            return (time.monotonic() - began) * 1000

    async def _send(self, keys: tuple[ApiKey, ...]) -> None:
        status = await self._control.status()
        self._look_for_others(status)
        wanted = self._judge.routes()
        before, self._newest = self._newest, max(self._revision, status.revision) + 1
        config = GatewayConfig(revision=self._newest, experiments=wanted, api_keys=keys)
        try:
            ack = await self._control.apply(config)
        except RemoteError:
            self._newest = before  # refused: whatever has this revision is not ours
            raise
        self._revision, self._sent, self._sent_keys = ack.revision, wanted, keys
        if self._judge.routes() == wanted:  # else somebody changed it meanwhile, and pushes again
            self._judge.settled()

    def _look_for_others(self, status: GatewayStatus) -> None:
        """What somebody changed on the gateway itself is undone, but for a latch: that one was closed for a reason."""
        if status.revision <= self._newest:
            return
        for route in status.routes:
            if route.latched:
                self._judge.latched_elsewhere(route.name)
        if self._sent is not None:
            text = f"somebody changed the gateway itself (revision {status.revision}); the agent's weights hold again"
            self._hub.alarm(time.time(), "warn", text)
        self._newest, self._sent = status.revision, None

    async def keep(self) -> None:
        """Look after the gateway until cancelled."""
        refreshed = 0.0
        while True:
            if not self._process.alive() and not await self._process.follow():
                await self._restart()
            if time.monotonic() - refreshed >= REFRESH_S:
                refreshed = time.monotonic()
                await self._refresh()
            if self._judge.routes() != self._sent or self._keys() != self._sent_keys:
                try:
                    await self.push()
                except QuantdeckError as error:
                    self._publish(error.detail)
            await asyncio.sleep(RETRY_S)

    async def _restart(self) -> None:
        self._status, self._sent = None, None
        self._publish("the gateway ended; starting it again")
        self._hub.alarm(time.time(), "fail", "the gateway ended and is started again")
        if time.monotonic() - self._started > STEADY_S:
            self._restart_s = RESTART_FIRST_S
        await asyncio.sleep(self._restart_s)
        self._restart_s = min(2 * self._restart_s, RESTART_MOST_S)
        self._started = time.monotonic()
        try:
            await self._process.start()
        except QuantdeckError as error:
            self._publish(error.detail)

    async def _refresh(self) -> None:
        try:
            status = self._status = await self._control.renew(self._judge.judged())
        except QuantdeckError as error:
            self._status = None
            self._publish(error.detail)
            return
        self.latencies.read(status, time.monotonic())
        self._process.adopt(status)  # another process where it was upgraded
        for route in status.routes:
            if route.lease and route.lease.ended_s:
                self._judge.lapse_ended(route.name, route.lease.ended_s)
        self._look_for_others(status)
        self._publish("")
        self._warn(time.time())
        if status.version != __version__ and not self._upgrade_asked:
            self._upgrade_asked = True
            await self._upgrade(status.version)

    def _warn(self, t: float) -> None:
        self._episodes, edges = follow(self._episodes, gateway_conditions(self._rungs()), t)
        for edge in edges:
            self._hub.alarm(t, edge.level, edge.text, hint=edge.hint, key=edge.key)

    def _rungs(self) -> dict[str, int]:
        """By arm, those without trouble too."""
        routes = self._status.routes if self._status else ()
        return {
            f"{route.name}/{variant}": arm.overload.rung
            for route in routes
            for variant, arm in (("control", route.control), ("treatment", route.treatment))
        }

    async def _upgrade(self, old: str) -> None:
        """The gateway of an earlier installation was adopted: this one's takes over."""
        try:
            await self._control.upgrade(sys.executable)
        except QuantdeckError as error:
            text = f"the gateway stays at version {old}, this agent has {__version__}: {error.detail}"
            self._hub.alarm(time.time(), "warn", text)

    def _publish(self, detail: str) -> None:
        status, identity = self._status, self._process.identity
        arms = [arm for route in (status.routes if status else ()) for arm in (route.control, route.treatment)]
        requests = self._rate.add(time.monotonic(), float(sum(arm.requests for arm in arms)) if status else None)
        self._hub.put_gateway(
            GatewayView(
                listen=self._process.listen,
                running=status is not None,
                pid=identity.pid if identity else None,
                revision=self._revision,
                in_flight=sum(arm.in_flight for arm in arms),
                rps=round(requests or 0.0, 1),
                rss_bytes=self._memory.bytes_of(identity, time.monotonic()),
                tee_dropped=status.tee_dropped + status.tee_sampled_out if status else 0,
                rungs={arm: rung for arm, rung in self._rungs().items() if rung},
                detail=detail,
            )
        )

    async def drained(self, replica: str) -> None:
        """Return when a replica that was taken out has no request in flight, or at a deadline."""
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while time.monotonic() < deadline:
            try:
                await self.push()
                status = await self._control.status()
            except UnreachableError:
                if not self._process.alive():
                    return  # a gateway that is gone has no streams left
                await asyncio.sleep(DRAIN_POLL_S)
                continue
            except QuantdeckError:
                await asyncio.sleep(DRAIN_POLL_S)
                continue
            arms = [arm for route in status.routes for arm in (route.control, route.treatment)]
            if not any(one.name == replica and one.in_flight for arm in arms for one in arm.replicas):
                return
            await asyncio.sleep(DRAIN_POLL_S)
