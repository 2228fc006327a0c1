"""People change their minds, or two of them ask at once, while an operation goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from quantdeck_console.link.deployment import follow
from quantdeck_core.errors import ConflictError, RemoteError
from quantdeck_core.protocol.requests import Deploy, Stop
from support.deck import Deck, changed, deck
from support.engine_host import engine_host
from support.played_engine import PlayedEngine
from support.processes import identity
from support.waiting import eventually


async def loads(host: Deck, played: PlayedEngine, **how: object) -> str:
    """An operation whose engine loads for as long as the test wants."""
    played.plays(load_s=10_000)
    operation = (await host.begin(played.profile(), **how)).operation
    await host.when(lambda status: any(one.current and one.current.name == "health" for one in status.operations))
    return operation


@pytest.fixture
def played(tmp_path: Path) -> PlayedEngine:
    return PlayedEngine(tmp_path / "played")


async def test_a_stop_in_the_middle_of_a_deploy_leaves_nothing(demo_models: Path, played: PlayedEngine) -> None:
    async with deck(demo_models, gateway=False) as host:
        operation = await loads(host, played)
        await host.stop()
        assert (await host.client.operation(operation)).state == "cancelled"
        assert not (await host.client.status()).engines
        assert not host.agent.marked()
        await host.agent.again()
        assert not (await host.client.status()).engines
        assert not host.agent.marked()


async def test_a_cancelled_deploy_leaves_nothing(demo_models: Path, played: PlayedEngine) -> None:
    async with deck(demo_models, gateway=False) as host:
        ended = await host.cancel(await loads(host, played))
        assert ended.state == "cancelled"
        assert ended.error
        assert "cancelled by test" in ended.error.detail
        assert not (await host.client.status()).engines
        assert not host.agent.marked()
        with pytest.raises(RemoteError) as caught:
            await host.cancel(ended.id)
        assert caught.value.info().code == "conflict"


@pytest.mark.parametrize("killed", [False, True])
async def test_a_cancelled_replacement_leaves_the_old_one(
    demo_models: Path, played: PlayedEngine, killed: bool
) -> None:
    async with deck(demo_models, gateway=False) as host:
        before = identity(await host.deploy(changed()))
        operation = await loads(host, played, replace=True)
        if killed:
            await host.agent.again()
            await host.when(lambda status: any(one.current for one in status.operations))
        assert (await host.cancel(operation)).state == "cancelled"
        engine = await host.until("ready")
        assert (identity(engine), engine.generation) == (before, 1)
        assert [one.pid for one in host.agent.marked()] == [before[0]]
        assert (await host.deploy(changed("demo-q8"), replace=True)).state == "ready"


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
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(played.profile(serve_replicas=2))
        played.plays(dies=True)
        second = next(one for one in (await host.client.status()).engines if one.name == "engine/1")
        next(one for one in host.agent.marked() if one.pid == second.pid).kill()
        await host.when(lambda status: any(one.state == "restarting" for one in status.engines))
        scaled = None
        while scaled is None:
            with contextlib.suppress(RemoteError):  # refused while it is being started again at this very moment
                scaled = await host.scale(1)
        assert scaled.state == "done"
        await host.when(lambda status: [one.name for one in status.engines] == ["engine"])
        operations = len((await host.client.operations()).operations)
        await host.agent.again()
        await host.until("ready")
        assert len((await host.client.operations()).operations) == operations
