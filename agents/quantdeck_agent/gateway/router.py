"""Keeps the gateway's config equal to what the agent wants, whatever happens in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.hub import Hub
from quantdeck_agent.process.identity import ResidentMemory
from quantdeck_core.engines.metrics import Rate
from quantdeck_core.errors import QuantdeckError, UnreachableError
from quantdeck_core.health.condition import NO_EPISODES, follow
from quantdeck_core.health.gateway_conditions import gateway_conditions
from quantdeck_core.protocol.gateway import ApiKey, ArmCounters, ExperimentRoute, GatewayConfig, GatewayStatus
from quantdeck_core.protocol.host import GatewayView

RETRY_S = 0.2
REFRESH_S = 1.0
DRAIN_DEADLINE_S = 120.0
DRAIN_POLL_S = 0.1
RESTART_PAUSE_S = 0.5


class Router:
    """Sends routes, retries until they are acknowledged, and restarts a gateway that died.

    Args:
        routes: what the gateway should serve, asked again before every attempt, so that an old wish is never sent late.
        settled: called when the gateway has acknowledged what is wanted.
        keys: API keys that its clients need, asked again in the same way.
        state_lost: nobody knows what was wanted: the gateway goes on with what it has until something is.
    """

    def __init__(
        self,
        process: GatewayProcess,
        control: GatewayControl,
        hub: Hub,
        routes: Callable[[], tuple[ExperimentRoute, ...]],
        settled: Callable[[], None],
        *,
        keys: Callable[[], tuple[ApiKey, ...]] = tuple,
        state_lost: bool = False,
    ) -> None:
        self._process, self._control, self._hub, self._routes = process, control, hub, routes
        self._keys, self._settled, self._state_lost = keys, settled, state_lost
        self._lock = asyncio.Lock()
        self._revision = 0
        self._sent: tuple[ExperimentRoute, ...] | None = None
        self._sent_keys: tuple[ApiKey, ...] | None = None
        self._status: GatewayStatus | None = None
        self._rate = Rate()
        self._memory = ResidentMemory()
        self._episodes = NO_EPISODES

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

    async def push(self) -> None:
        """Make the gateway serve what is wanted now.

        Raises:
            QuantdeckError: it could not be told; `keep` goes on trying.
        """
        async with self._lock:
            wanted, keys = self._routes(), self._keys()
            if (wanted == self._sent and keys == self._sent_keys) or (self._state_lost and not wanted):
                self._settled()
                return
            revision = max(self._revision, (await self._control.status()).revision) + 1
            ack = await self._control.apply(GatewayConfig(revision=revision, experiments=wanted, api_keys=keys))
            self._revision, self._sent, self._sent_keys = ack.revision, wanted, keys
            if self._routes() == wanted:  # else somebody changed it meanwhile, and pushes again
                self._settled()

    async def keep(self) -> None:
        """Look after the gateway until cancelled."""
        refreshed = 0.0
        while True:
            if not self._process.alive():
                await self._restart()
            if time.monotonic() - refreshed >= REFRESH_S:
                refreshed = time.monotonic()
                await self._refresh()
            if self._routes() != self._sent or self._keys() != self._sent_keys:
                try:
                    await self.push()
                except QuantdeckError as error:
                    self._publish(error.detail)
            await asyncio.sleep(RETRY_S)

    async def _restart(self) -> None:
        self._status, self._sent = None, None
        self._publish("the gateway ended; starting it again")
        self._hub.alarm(time.time(), "fail", "the gateway ended and is started again")
        await asyncio.sleep(RESTART_PAUSE_S)
        try:
            await self._process.start()
        except QuantdeckError as error:
            self._publish(error.detail)

    async def _refresh(self) -> None:
        try:
            self._status = await self._control.status()
        except QuantdeckError as error:
            self._status = None
            self._publish(error.detail)
            return
        self._publish("")
        self._warn(time.time())

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
                return  # a gateway that is gone has no streams left
            except QuantdeckError:
                await asyncio.sleep(DRAIN_POLL_S)
                continue
            arms = [arm for route in status.routes for arm in (route.control, route.treatment)]
            if not any(one.name == replica and one.in_flight for arm in arms for one in arm.replicas):
                return
            await asyncio.sleep(DRAIN_POLL_S)
