"""Fault 3: the agent's state is lost while engines run: they are adopted by their markers, never started twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from quantdeck_core.errors import RemoteError
from support.deck import changed, deck
from support.played_engine import PlayedEngine
from support.processes import identity
from support.waiting import eventually


async def test_an_engine_is_adopted_and_its_name_is_taken(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        before = identity(await host.deploy(changed()))
        host.agent.kill()
        host.agent.forget()
        await host.agent.start()
        engine = await host.until("ready")
        assert (identity(engine), engine.generation, engine.profile) == (before, 1, "demo-f16")
        assert any("state did not know it" in alarm.text for alarm in (await host.client.status()).alarms)
        with pytest.raises(RemoteError) as caught:
            await host.begin(changed("demo-q8"))
        assert caught.value.info().code == "name-in-use"
        assert len(host.agent.marked()) == 1
        # From now on it is like any other, also for the next agent.
        await host.agent.again()
        assert identity(await host.until("ready")) == before
        os.kill(before[0], signal.SIGKILL)
        assert (await host.until("ready", generation=2)).pid != before[0]
        await host.stop()
        await eventually(lambda: not host.agent.marked())


async def test_replicas_are_adopted_all(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(changed(serve_replicas=2))
        before = {one.pid for one in (await host.client.status()).engines}
        host.agent.kill()
        host.agent.forget()
        await host.agent.start()
        status = await host.when(lambda status: [one.state for one in status.engines] == ["ready", "ready"])
        assert {one.pid for one in status.engines} == before
        assert [one.name for one in status.engines] == ["engine", "engine/1"]
        await host.scale(1)
        assert len(host.agent.marked()) == 1


async def test_one_that_still_loads_gets_no_users_before_it_answers(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(load_s=10_000, no_metrics=True)
    async with deck(demo_models, gateway=False) as host:
        await host.begin(played.profile())
        engine = (await host.when(lambda status: status.engines and status.engines[0].pid)).engines[0]
        host.agent.kill()
        host.agent.forget()
        played.plays(load_s=10_000, no_metrics=True, status=503)
        await host.agent.start()
        assert (await host.until("hung")).pid == engine.pid
        played.plays(no_metrics=True)
        assert identity(await host.until("ready")) == identity(engine)
        assert len(host.agent.marked()) == 1


async def test_of_two_for_one_place_the_one_that_serves_is_adopted(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(load_s=10_000)
    async with deck(demo_models, gateway=False) as host:
        before = identity(await host.deploy(changed()))
        await host.begin(played.profile(), replace=True)
        await eventually(lambda: len(host.agent.marked()) == 2)
        host.agent.kill()
        host.agent.forget()
        await host.agent.start()
        assert identity(await host.until("ready")) == before
        await eventually(lambda: [one.pid for one in host.agent.marked()] == [before[0]], what="the other one is gone")
        async with httpx.AsyncClient(base_url=(await host.engine()).url, trust_env=False) as http:
            assert (await http.get("/health")).status_code == 200


async def test_workers_without_a_leader_are_ended(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(orphan=True)
    async with deck(demo_models, gateway=False) as host:
        engine = await host.deploy(played.profile())
        worker = psutil.Process(played.worker)
        host.agent.kill()
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        host.agent.forget()
        assert worker.is_running()
        await host.agent.start()
        await eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
        assert not (await host.client.status()).engines
