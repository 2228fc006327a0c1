"""The agent tells of an arm that has too many requests, and when that is over."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway.lab.slots import Crowd, SlotEngine
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import Store
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Limits, Replica
from support.fleets import sample
from support.waiting import eventually


class Judge:
    """Wants one experiment served, whatever happens."""

    def __init__(self, route: ExperimentRoute) -> None:
        self._route = route

    def routes(self) -> tuple[ExperimentRoute, ...]:
        return (self._route,)

    def settled(self) -> None: ...

    def judged(self) -> tuple[str, ...]:
        return (self._route.name,)

    def lapse_ended(self, experiment: str, seconds: float) -> None: ...

    def latched_elsewhere(self, experiment: str) -> None: ...


@pytest.mark.timeout(60)
async def test_overload_is_shown_and_told(tmp_path: Path) -> None:
    engine = SlotEngine(1, 0.2)
    await engine.start()
    paths = Paths(tmp_path / "state", tmp_path / "r", tmp_path / "models")
    paths.make()
    store, hub = Store(paths.database), Hub("h", "0", sample())
    arm = Arm(replicas=(Replica(name="e", url=engine.url),), limits=Limits(max_in_flight=1, max_queue=0))
    route = ExperimentRoute(name="a", served_name="a", control=arm, treatment=Arm())
    control = GatewayControl(paths.gateway_control)
    process = GatewayProcess(paths, store, control, str(tmp_path), "127.0.0.1:0", 60.0)
    await process.start()
    router = Router(process, control, hub, Judge(route))
    keeping = asyncio.create_task(router.keep())
    try:
        await eventually(lambda: router.acknowledged(route))
        crowd = Crowd(int(process.listen.rpartition(":")[2]), prompt="x")
        await crowd.come(20.0, 1.0)
        await crowd.leave()
        await eventually(lambda: bool(hub.status().alarms))
        view = hub.status().gateway
        assert view is not None
        assert view.rungs == {"a/control": 4}
        assert [(alarm.level, alarm.key) for alarm in hub.status().alarms] == [("warn", "overload:a/control")]
        await eventually(lambda: len(hub.status().alarms) == 2, 20.0)
        assert hub.status().alarms[1].level == "ok"
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        control.close()
        await process.stop()
        store.close()
        await engine.stop()
