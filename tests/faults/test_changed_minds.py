"""People change their minds, or two of them ask at once, while an operation goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from quantdeck_console.link.deployment import follow
from quantdeck_core.errors import ConflictError, RemoteError
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Deploy, Scale, Stop
from support.deck import changed, deck
from support.engine_host import EngineHost, engine_host
from support.played_engine import PlayedEngine
from support.processes import identity
from support.waiting import eventually


async def loads(host: EngineHost, played: PlayedEngine, **how: object) -> Operation:
    """An operation whose engine loads for as long as the test wants."""
    played.plays(load_s=10_000)
    operation = await host.begin(played.profile(), **how)
    await host.at(operation, "health")
    return operation


@pytest.fixture
def played(tmp_path: Path) -> PlayedEngine:
    return PlayedEngine(tmp_path / "played")


async def test_a_stop_in_the_middle_of_a_deploy_leaves_nothing(demo_models: Path, played: PlayedEngine) -> None:
    async with engine_host(demo_models) as host:
        operation = await loads(host, played)
        stopping = await host.engines.supervisor.stop("engine", "test")
        assert (await host.end(stopping)).state == "done"
        assert host.engines.operations.named(operation.id).state == "cancelled"
        assert (host.statuses(), host.processes()) == ((), [])
        async with host.next_agent() as following:
            assert (following.statuses(), following.processes()) == ((), [])


async def test_a_cancelled_deploy_leaves_nothing(demo_models: Path, played: PlayedEngine) -> None:
    async with engine_host(demo_models) as host:
        ended = await host.engines.supervisor.cancel((await loads(host, played)).id, "test")
        assert ended.state == "cancelled"
        assert ended.error
        assert "cancelled by test" in ended.error.detail
        assert (host.statuses(), host.processes()) == ((), [])
        with pytest.raises(ConflictError, match="ended already"):
            await host.engines.supervisor.cancel(ended.id, "test")


async def test_a_cancelled_replacement_leaves_the_old_one(demo_models: Path, played: PlayedEngine) -> None:
    async with engine_host(demo_models) as host:
        await host.deploy(changed())
        before = identity(host.statuses()[0])
        operation = await loads(host, played, replace=True)
        assert (await host.engines.supervisor.cancel(operation.id, "test")).state == "cancelled"
        (engine,) = host.statuses()
        assert (identity(engine), engine.generation, engine.state) == (before, 1, "ready")
        assert [one.pid for one in host.processes()] == [before[0]]
        assert (await host.deploy(changed("demo-q8"), replace=True)).state == "done"


async def test_an_operation_can_be_cancelled_at_the_next_agent(demo_models: Path, played: PlayedEngine) -> None:
    async with deck(demo_models, gateway=False) as host:
        before = identity(await host.deploy(changed()))
        played.plays(load_s=10_000)
        operation = (await host.begin(played.profile(), replace=True)).operation
        await host.agent.again()
        await host.when(lambda status: any(one.current for one in status.operations))
        assert (await host.cancel(operation)).state == "cancelled"
        engine = await host.until("ready")
        assert (identity(engine), engine.generation) == (before, 1)
        assert [one.pid for one in host.agent.marked()] == [before[0]]


async def test_what_serves_already_is_not_taken_back(demo_models: Path) -> None:
    """A replacement that only waits for the old one's last answers has happened; a stop still ends all of it."""
    async with engine_host(demo_models) as host:
        await host.deploy(changed())
        host.draining = {"engine.1"}
        operation = await host.begin(changed("demo-q8"), replace=True)
        await eventually(lambda: [one.key for one in host.engines.serving("engine")] == ["engine.2"])
        with pytest.raises(ConflictError, match="cannot be taken back"):
            await host.engines.supervisor.cancel(operation.id, "test")
        stopping = await host.engines.supervisor.stop("engine", "test")
        assert host.engines.operations.named(operation.id).state == "cancelled"
        host.draining = set()
        assert (await host.end(stopping)).state == "done"
        assert host.statuses() == ()
        assert not host.processes()


async def test_a_cancelled_restart_of_a_crashed_engine_stays_until_somebody_acts(
    demo_models: Path, played: PlayedEngine
) -> None:
    async with engine_host(demo_models) as host:
        await host.deploy(played.profile())
        played.plays(load_s=10_000)
        os.kill(host.statuses()[0].pid or 0, signal.SIGKILL)
        recovering = await eventually(lambda: host.engines.operations.of_engine("engine"))
        await host.at(recovering, "health")
        await host.engines.supervisor.cancel(recovering.id, "test")
        failed = await host.until("failed")
        assert failed.error
        assert "cancelled by test" in failed.error.detail
        assert not host.processes()
        played.plays()
        assert (await host.deploy(played.profile())).state == "done"


async def test_of_two_deploys_of_one_name_at_once_one_is_refused(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        asks = [
            Deploy(request_id=f"at-once-{number}", by="test", profile=changed(), name="engine") for number in range(6)
        ]
        answers = await asyncio.gather(*(host.client.deploy(ask) for ask in asks), return_exceptions=True)
        refused = [one for one in answers if isinstance(one, RemoteError)]
        (applied,) = [one for one in answers if not isinstance(one, BaseException)]
        assert {one.info().code for one in refused} == {"name-in-use"}
        assert len(refused) == 5
        await follow(host.client, applied.operation)
        assert len(host.agent.marked()) == 1
        assert (await host.engine()).generation == 1


async def test_a_deploy_and_a_stop_at_once_end_in_one_of_the_two(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(changed())
        replace = Deploy(request_id="a", by="test", profile=changed("demo-q8"), name="engine", replace=True)
        stop = Stop(request_id="b", by="test")
        await asyncio.gather(host.client.deploy(replace), host.client.stop("engine", stop), return_exceptions=True)
        status = await host.when(lambda status: not any(one.ended is None for one in status.operations))
        assert len(host.agent.marked()) == len(status.engines)
        assert [one.state for one in status.engines] in ([], ["ready"])


async def test_a_replica_that_is_wanted_no_more_is_not_started_again(demo_models: Path, played: PlayedEngine) -> None:
    async with engine_host(demo_models) as host:
        await host.deploy(played.profile(serve_replicas=2))
        played.plays(dies=True)
        os.kill(host.statuses()[1].pid or 0, signal.SIGKILL)
        await eventually(lambda: any(one.kind == "recover" for one in host.engines.operations.all()))
        await eventually(
            lambda: host.group("engine").due and not host.engines.supervisor.busy("engine"), what="it waits to be tried"
        )
        scaling = await host.engines.supervisor.scale("engine", Scale(request_id="s", by="test", replicas=1))
        assert (await host.end(scaling)).state == "done"
        assert [one.name for one in host.statuses()] == ["engine"]
        await eventually(lambda: not host.group("engine").due)
        assert host.engines.operations.all()[-1] == host.engines.operations.named(scaling.id), "nothing was started"
