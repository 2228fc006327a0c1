"""Questions for a token to a real engine, at moments that the test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.lab.engine import Engine
from quantdeck_core.engines.liveness import IDLE_DEADLINE_S
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_gateway.ejection import BUSY_DEADLINE_S, PROBE_EVERY_S
from quantdeck_gateway.probe import Prober
from quantdeck_gateway.table import RoutingTable
from support.waiting import eventually


class Watched:
    """The replicas of a control, of which the first is looked at."""

    def __init__(self, *engines: Engine) -> None:
        self.table = RoutingTable()
        control = Arm(replicas=tuple(Replica(name=engine.arm, url=engine.url) for engine in engines))
        route = ExperimentRoute(name="e", served_name="m", control=control, treatment=Arm())
        self.table.apply(GatewayConfig(revision=1, experiments=(route,)))
        self.arm = self.table.live[0].control
        self.replica = self.arm.replicas[0]
        loop = asyncio.get_running_loop()
        self.prober, self.asked_at = Prober(loop, self.table, PROBE_EVERY_S), loop.time() + PROBE_EVERY_S

    def after(self, seconds: float) -> bool:
        """Whether it is ejected so long after it was asked."""
        self.prober.tick(self.asked_at + seconds)
        return not any(one is self.replica for one in self.arm.rotation)


@pytest.fixture
async def watch(engines: Callable[..., Awaitable[Engine]]) -> AsyncIterator[Callable[..., Awaitable[Watched]]]:
    """Starts an engine that hangs, perhaps beside one that does not, and asks it."""
    started: list[Watched] = []

    async def start(*, in_flight: int = 0, alone: bool = True) -> Watched:
        engine = await engines("engine", plays="hang")
        watched = Watched(engine) if alone else Watched(engine, await engines("other"))
        started.append(watched)
        watched.replica.in_flight = in_flight
        watched.prober.tick(watched.asked_at - PROBE_EVERY_S)
        assert not engine.seen
        assert not watched.after(0)
        await eventually(lambda: engine.probes)
        return watched

    yield start
    for watched in started:
        watched.prober.stop()


async def test_an_idle_one_has_10_s(watch: Callable[..., Awaitable[Watched]]) -> None:
    watched = await watch()
    assert not watched.after(IDLE_DEADLINE_S - 0.1)
    assert watched.after(IDLE_DEADLINE_S)
    assert not watched.arm.healthy


async def test_a_busy_one_has_30_s(watch: Callable[..., Awaitable[Watched]]) -> None:
    watched = await watch(in_flight=1, alone=False)
    assert not watched.after(BUSY_DEADLINE_S - 0.1)
    assert watched.after(BUSY_DEADLINE_S)


async def test_the_last_one_stays_while_it_is_busy(watch: Callable[..., Awaitable[Watched]]) -> None:
    watched = await watch(in_flight=1)
    assert not watched.after(BUSY_DEADLINE_S)


async def test_one_that_answered_others_meanwhile_stays(watch: Callable[..., Awaitable[Watched]]) -> None:
    watched = await watch(in_flight=1, alone=False)
    watched.replica.signs += 1
    assert not watched.after(BUSY_DEADLINE_S)


async def test_who_answers_users_is_not_asked(engines: Callable[..., Awaitable[Engine]]) -> None:
    engine = await engines("engine")
    watched = Watched(engine)
    for second in range(100):
        watched.replica.signs += second % 9 == 0
        watched.after(second)
    await asyncio.sleep(0.05)
    assert engine.connections == 0
