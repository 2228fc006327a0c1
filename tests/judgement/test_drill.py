"""A rehearsed rollback with a real gateway and engines that play their part."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.experiments.drill import Drills
from quantdeck_agent.experiments.readiness_facts import readiness_facts
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.route import experiment_route
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.paths import Paths
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.errors import ConflictError, UnreachableError
from quantdeck_core.protocol.drill import Drill, DrillRecord
from quantdeck_core.protocol.gateway import ExperimentRoute
from quantdeck_core.protocol.traffic import ArmLimits
from quantdeck_core.rollout.readiness import Readiness, readiness
from quantdeck_core.rollout.state import RolloutState
from support.engine_host import EngineHost, engine_host
from support.played_engine import PlayedEngine
from support.waiting import eventually


class Rehearsal:
    """An experiment at 50 %, its gateway, and whoever rehearses."""

    router: Router

    def __init__(self, host: EngineHost, control: GatewayControl, process: GatewayProcess) -> None:
        self.host, self.control, self.process = host, control, process
        self.drills = Drills(host.store)
        self.state = RolloutState(stage="gradual", weight_bp=5000)
        self.sent: list[int] = []
        self.rolls_back_at_zero = False

    # What the router asks.

    def routes(self) -> tuple[ExperimentRoute, ...]:
        serving = self.host.engines.serving("engine")
        record = ExperimentRecord(
            name="e", served_name="assistant", control="engine", treatment="engine", thresholds=Thresholds(),
            state=self.state,
        )  # fmt: skip
        route = experiment_route(record, serving, serving)
        return (msgspec.structs.replace(route, weight_bp=self.drills.weight_bp("e", route.weight_bp)),)

    def settled(self) -> None:
        sent = self.routes()[0].weight_bp
        if self.sent[-1:] != [sent]:
            self.sent.append(sent)
        if sent == 0 and self.rolls_back_at_zero:
            self.state = RolloutState(stage="rollback", from_bp=5000)

    def judged(self) -> tuple[str, ...]:
        return ("e",)

    def lapse_ended(self, experiment: str, seconds: float) -> None: ...

    def latched_elsewhere(self, experiment: str) -> None: ...

    # What the test asks.

    def readiness(self, now: float = 0.0) -> Readiness:
        facts = readiness_facts(
            "e", "engine", engines=self.host.engines, router=self.router, limits=ArmLimits(), now=now
        )
        return readiness(facts, now)

    async def drill(self, *, live: bool = False, frozen: str = "") -> DrillRecord:
        return await self.drills.run(
            "e",
            Drill(request_id="r", by="ada", live=live),
            state=self.state,
            readiness=self.readiness(),
            control=self.host.engines.serving("engine"),
            router=self.router,
            frozen=frozen,
        )

    async def served(self) -> int:
        """The weight that decides in the gateway."""
        return (await self.control.status()).routes[0].effective_weight_bp

    def told(self) -> list[str]:
        return [line.text for line in self.host.store.timeline("experiment:e")]


@contextlib.asynccontextmanager
async def rehearsal(models: Path, played: PlayedEngine, replicas: int = 1) -> AsyncIterator[Rehearsal]:
    async with engine_host(models) as host:
        await host.deploy(played.profile(serve_replicas=replicas))
        paths = Paths(host.folder / "state", host.folder / "run", models)
        control = GatewayControl(paths.gateway_control)
        process = GatewayProcess(paths, host.store, control, host.owner, "127.0.0.1:0", 60.0, 1, None)
        await process.start()
        one = Rehearsal(host, control, process)
        one.router = router = Router(process, control, host.hub, one)
        keeping = asyncio.create_task(router.keep())
        try:
            await eventually(lambda: router.running and router.acknowledged(one.routes()[0]))
            yield one
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await process.stop()
            control.close()


@pytest.fixture
def played(tmp_path: Path) -> PlayedEngine:
    return PlayedEngine(tmp_path / "played")


async def test_a_drill_moves_nobody_and_measures_the_way(demo_models: Path, played: PlayedEngine) -> None:
    async with rehearsal(demo_models, played, replicas=2) as one:
        revision = one.router.revision
        record = await one.drill()
        assert record.passed, record.failed
        assert [probe.ms is not None for probe in record.probes] == [True, True]
        assert one.router.revision == revision + 1
        assert record.push_ms is not None
        assert (record.zero_ms, record.back_ms) == (None, None)
        assert one.sent == [5000]
        assert one.told()[0].startswith("drill passed: a token from every replica of the control within ")
        assert "never rehearsed" in one.readiness().warnings[-1]


async def test_a_live_drill_takes_everyone_to_the_control_and_back(demo_models: Path, played: PlayedEngine) -> None:
    async with rehearsal(demo_models, played) as one:
        record = await one.drill(live=True)
        assert record.passed, record.failed
        assert one.sent == [5000, 0, 5000]
        assert record.zero_ms is not None
        assert record.back_ms is not None
        assert record.weight_bp == 5000
        assert await one.served() == 5000
        assert one.drills.restore() == {}


async def test_a_control_that_gives_no_token_fails_the_drill_and_nobody_is_moved(
    demo_models: Path, played: PlayedEngine
) -> None:
    async with rehearsal(demo_models, played) as one:
        played.plays(status=500)
        record = await one.drill(live=True)
        assert not record.passed
        assert "gave no token" in record.failed[0]
        assert one.sent == [5000]


@pytest.mark.parametrize(
    ("state", "frozen", "why"),
    [
        (RolloutState(stage="rollback", from_bp=5000), "", "A rollback holds"),
        (RolloutState(stage="gradual", weight_bp=5000), "ada: release day", "ada: release day"),
        (RolloutState(), "", "Nobody is on the treatment"),
    ],
)
async def test_nobody_is_moved_while_a_rollback_or_a_freeze_holds(
    state: RolloutState, frozen: str, why: str, demo_models: Path, played: PlayedEngine
) -> None:
    async with rehearsal(demo_models, played) as one:
        one.state = state
        with pytest.raises(ConflictError, match=why):
            await one.drill(live=True, frozen=frozen)
        assert (await one.drill(frozen=frozen)).passed


async def test_a_rollback_during_a_drill_stays(demo_models: Path, played: PlayedEngine) -> None:
    async with rehearsal(demo_models, played) as one:
        one.rolls_back_at_zero = True
        await one.drill(live=True)
        assert one.sent[-1] == 0
        assert await one.served() == 0
        assert (await one.control.status()).routes[0].latched


class _Stuck(Router):
    """A way to the gateway that is lost once weight 0 was acknowledged."""

    pushes = 0
    forgotten: asyncio.Event

    async def push(self) -> None:
        self.pushes += 1
        if self.pushes > 1:
            await self.forgotten.wait()
            raise UnreachableError("nobody waits for it any more")
        await super().push()


async def test_an_agent_that_ends_in_the_middle_leaves_nobody_where_the_drill_had_put_them(
    demo_models: Path, played: PlayedEngine
) -> None:
    async with rehearsal(demo_models, played) as one:
        stuck = _Stuck(one.process, one.control, one.host.hub, one)
        stuck.forgotten = asyncio.Event()
        drilling = asyncio.create_task(
            one.drills.run(
                "e",
                Drill(request_id="r", by="ada", live=True),
                state=one.state,
                readiness=one.readiness(),
                control=one.host.engines.serving("engine"),
                router=stuck,
            )
        )
        await eventually(lambda: stuck.pushes > 1)
        assert await one.served() == 0
        # The agent after one that was killed at this moment: only the disk tells it of the drill.
        one.drills = Drills(one.host.store)
        cut = one.drills.restore()["e"]
        assert not cut.passed
        assert "it was cut off by the end of the agent" in one.told()[-1]
        await Router(one.process, one.control, one.host.hub, one).push()
        assert await one.served() == 5000
        assert Drills(one.host.store).restore() == {}
        stuck.forgotten.set()
        await drilling


async def test_a_silent_gateway_fails_the_drill_and_gets_the_weight_when_it_is_back(
    demo_models: Path, played: PlayedEngine
) -> None:
    async with rehearsal(demo_models, played) as one:
        gateway = one.process.identity
        assert gateway
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            record = await one.drill(live=True)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        assert not record.passed
        assert any("the gateway" in reason for reason in record.failed)
        await eventually(lambda: one.router.running and one.router.acknowledged(one.routes()[0]))
        assert await one.served() == 5000
