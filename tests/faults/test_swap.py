"""Swaps: where there is no room for both, the old one ends first, and that nobody serves meanwhile is said before."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from quantdeck_agent.engines.errors import NoRoomBesideError, RefusedError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Deploy
from support.deck import changed
from support.engine_host import GIB, EngineHost, engine_host
from support.played_engine import PlayedEngine
from support.processes import identity
from support.waiting import eventually


@pytest.fixture
def played(tmp_path: Path) -> PlayedEngine:
    return PlayedEngine(tmp_path / "played")


def asked(profile: Profile) -> Deploy:
    return Deploy(request_id="i", by="test", profile=profile, name="engine", replace=True)


async def deployed(host: EngineHost, following: Profile) -> tuple[int, str]:
    """An engine, and room for the following one with what this gives back, but not beside it."""
    assert (await host.deploy(changed())).state == "done"
    planned = (await host.engines.intended(asked(following))).planned_bytes
    assert planned
    host.room(planned / 2 / GIB)
    return identity(host.statuses()[0])


async def swapping(host: EngineHost, profile: Profile) -> Operation:
    operation = await host.begin(profile, replace=True, swap=True)
    assert operation.kind == "swap"
    assert operation.outage_s > 0
    return operation


async def test_it_is_refused_until_somebody_accepts_the_outage(demo_models: Path) -> None:
    async with engine_host(demo_models) as host:
        before = await deployed(host, changed("demo-q8"))
        intended = await host.engines.intended(asked(changed("demo-q8")))
        assert intended.outage_s
        assert "as the last start took" in intended.outage
        room = intended.room
        assert room is not None
        assert room.weights + room.kv + room.overhead == room.needed == intended.planned_bytes
        assert (room.where, room.instances) == ("RAM", 1)
        assert room.free < room.needed <= room.free + room.freed
        assert room.total == host.sample.memory_total_bytes
        with pytest.raises(NoRoomBesideError) as caught:
            await host.begin(changed("demo-q8"), replace=True)
        assert f"nobody is served by it for {intended.outage}" in caught.value.hint
        assert identity(host.statuses()[0]) == before

        host.switches.clear()
        operation = await host.deploy(changed("demo-q8"), replace=True, swap=True)
        assert (operation.kind, operation.state) == ("swap", "done"), operation.error
        assert operation.outage_s == intended.outage_s, "what was announced is what is recorded"
        assert host.switches == [(), ("engine.2",)], "first nobody, then the new one"
        names = [step.name for step in operation.steps]
        assert names.index("stop") < names.index("start")
        (engine,) = host.statuses()
        assert (engine.state, engine.generation, engine.profile) == ("ready", 2, "demo-q8")
        assert identity(engine) != before


async def test_what_does_not_fit_at_all_is_no_matter_of_swapping(demo_models: Path) -> None:
    async with engine_host(demo_models) as host:
        before = await deployed(host, changed())
        with pytest.raises(RefusedError) as caught:
            await host.begin(changed(serve_max_model_len=500_000_000), replace=True, swap=True)
        assert caught.value.info().code == "does-not-fit"
        assert identity(host.statuses()[0]) == before


async def test_forced_both_run_beside_each_other(demo_models: Path) -> None:
    async with engine_host(demo_models) as host:
        await deployed(host, changed("demo-q8"))
        operation = await host.deploy(changed("demo-q8"), replace=True, force=True)
        assert (operation.kind, operation.state) == ("replace", "done"), operation.error
        assert operation.forced.startswith("test: It needs")
        assert any("forced by test" in one.text for one in host.engines.detail("engine").timeline)


async def test_one_whose_new_engine_fails_brings_the_old_one_back(demo_models: Path, played: PlayedEngine) -> None:
    async with engine_host(demo_models) as host:
        await deployed(host, played.profile())
        played.plays(dies=True)
        operation = await host.end(await swapping(host, played.profile()))
        assert operation.state == "failed"
        await eventually(lambda: host.statuses() and host.statuses()[0].state == "ready", 20)
        (engine,) = host.statuses()
        assert (engine.profile, engine.engine) == ("demo-f16", "xllamacpp")
        assert host.engines.detail("engine").profile == changed()


async def test_one_cancelled_while_the_old_one_drains_leaves_it(demo_models: Path) -> None:
    async with engine_host(demo_models) as host:
        before = await deployed(host, changed("demo-q8"))
        host.draining = {"engine.1"}
        operation = await swapping(host, changed("demo-q8"))
        await host.until("draining")
        assert host.engines.serving("engine") == ()
        cancelled = await host.engines.supervisor.cancel(operation.id, "test")
        assert cancelled.state == "cancelled"
        assert [one.key for one in host.engines.serving("engine")] == ["engine.1"]
        assert identity(host.statuses()[0]) == before


async def test_one_cancelled_while_the_new_one_loads_brings_the_old_one_back(
    demo_models: Path, played: PlayedEngine
) -> None:
    async with engine_host(demo_models) as host:
        await deployed(host, played.profile())
        played.plays(load_s=10_000)
        operation = await swapping(host, played.profile())
        await host.at(operation, "health")
        assert (await host.engines.supervisor.cancel(operation.id, "test")).state == "cancelled"
        await eventually(lambda: host.statuses() and host.statuses()[0].state == "ready", 20)
        assert host.statuses()[0].profile == "demo-f16"


@pytest.mark.parametrize("when", ["it drains", "the new one loads", "the new one serves"])
async def test_it_goes_on_with_the_next_agent(demo_models: Path, played: PlayedEngine, when: str) -> None:
    async with engine_host(demo_models) as host:
        await deployed(host, played.profile())
        if when == "it drains":
            host.draining = {"engine.1"}
        played.plays(load_s=10_000 if when == "the new one loads" else 0)
        operation = await swapping(host, played.profile())
        match when:
            case "it drains":
                await host.at(operation, "drain")
            case "the new one loads":
                await host.at(operation, "health")
            case _:
                await eventually(lambda: [one.generation for one in host.engines.serving("engine")] == [2])
        pid = host.statuses()[0].pid
        async with host.next_agent() as next_host:
            next_host.draining.clear()
            played.plays()
            assert (await next_host.end(operation)).state == "done"
            (engine,) = next_host.statuses()
            assert (engine.state, engine.generation, engine.engine) == ("ready", 2, "llama-server")
            if when == "the new one serves":
                assert engine.pid == pid, "what serves already is not ended by the rest of the operation"


async def test_a_fixed_port_is_handed_over(demo_models: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    async with engine_host(demo_models) as host:
        assert (await host.deploy(changed(serve_port=port))).state == "done"
        with pytest.raises(NoRoomBesideError, match=str(port)):
            await host.begin(changed("demo-q8", serve_port=port), replace=True)
        operation = await host.deploy(changed("demo-q8", serve_port=port), replace=True, swap=True)
        assert operation.state == "done", operation.error
        assert host.statuses()[0].url == f"http://127.0.0.1:{port}"
        with pytest.raises(RefusedError):
            await host.begin(changed(serve_port=port, serve_max_model_len=500_000_000), replace=True, swap=True)
