"""Damaged, locked or unusable state under a real agent with a real engine."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.requests import CreateExperiment, Deploy
from support.agents import AgentProcess, agent, status_when


async def deployed(one: AgentProcess, name: str = "engine") -> EngineStatus:
    client = one.client()
    applied = await client.deploy(Deploy(request_id=name, profile=load_profile("demo-f16"), name=name))
    engine = await wait_until_ready(client, name, applied.operation)
    await client.close()
    return engine


def identity(engine: EngineStatus) -> tuple[int, float]:
    assert engine.pid
    return engine.pid, psutil.Process(engine.pid).create_time()


async def answers(model: str, url: str) -> bool:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        body = {"model": model, "messages": [{"role": "user", "content": "x"}], "user": "u", "max_tokens": 2}
        return (await http.post("/v1/chat/completions", json=body, timeout=20)).status_code == 200


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "log gone"])
async def test_an_agent_with_a_damaged_database_finds_its_engine_and_says_so(demo_models: Path, damage: str) -> None:
    async with agent(demo_models) as one:
        engine = await deployed(one)
        before = identity(engine)
        one.kill()
        database, log = one.folder / "state" / "agent.db", one.folder / "state" / "agent.db-wal"
        match damage:
            case "flipped":
                data = bytearray(log.read_bytes())
                data[len(data) // 2 :: 50] = bytes(len(data[len(data) // 2 :: 50]))
                log.write_bytes(data)
            case "cut":
                database.write_bytes(database.read_bytes()[:1000])
                log.unlink()
            case "gone":
                database.unlink()
            case "log gone":
                log.unlink()
        await one.start()
        client = one.client()
        status = await status_when(client, lambda s: s.engines and s.engines[0].state == "ready")
        await client.close()
        assert identity(status.engines[0]) == before
        assert await answers(engine.served_name, engine.url)
        (alarm,) = status.alarms
        assert alarm.level == "warn"
        assert "was made again from its second copy; nothing is lost" in alarm.text
        assert len(one.marked()) == 1


async def test_an_agent_whose_state_is_lost_starts_empty_and_users_notice_nothing(demo_models: Path) -> None:
    async with agent(demo_models, "--gateway", "127.0.0.1:0") as one:
        engines = [await deployed(one, name) for name in ("a", "b")]
        client = one.client()
        await client.create_experiment(CreateExperiment(request_id="c", name="e", control="a", treatment="b"))
        gateway = (await client.status()).gateway
        assert gateway
        before = sorted((process.pid, process.create_time()) for process in one.marked())
        one.kill()
        state = one.folder / "state"
        (state / "agent.db-wal").unlink()
        for name in ("agent.db", "agent.journal"):
            (state / name).write_bytes(b"\0" * 8192)
        one.arguments = ("--gateway", gateway.listen)  # as somebody gives it who starts an agent for good
        await one.start()
        status = await status_when(client, lambda s: s.gateway and s.gateway.running)
        (alarm,) = [alarm for alarm in status.alarms if "second copy" in alarm.text]
        assert alarm.level == "fail"
        assert status.gateway
        assert status.gateway.pid == gateway.pid
        assert sorted((process.pid, process.create_time()) for process in one.marked()) == before
        assert await answers(engines[0].served_name, f"http://{gateway.listen}")
        kept = {file.name for case in (state / "quarantine").iterdir() for file in case.iterdir()}
        assert {"agent.db", "agent.journal"} <= kept
        await client.close()


async def test_a_second_agent_on_one_state_exits_with_who_has_it(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        assert one.process
        second = AgentProcess(one.folder, demo_models)
        ready = one.ready_file.read_bytes()
        await second.start(ready=False)
        assert second.process
        assert second.process.wait(20) == 3
        assert f"An agent already uses {one.folder / 'state'} (PID {one.process.pid})." in one.log()
        assert "Stop that one first" in one.log()
        one.ready_file.write_bytes(ready)  # the test's own start removed it
        client = one.client()
        assert (await client.status()).name == "test"
        await client.close()


@pytest.mark.parametrize(("name", "words"), [("agent.lock", "Is a directory"), ("logs", "logs")])
async def test_a_folder_that_cannot_be_used_is_an_error_for_people(demo_models: Path, name: str, words: str) -> None:
    async with agent(demo_models) as one:
        assert one.terminate() == 0
        place = one.folder / "state" / name
        if place.is_dir():
            place.rmdir()
            place.write_text("a file")
        else:
            place.unlink()
            place.mkdir()
        await one.start(ready=False)
        assert one.process
        assert one.process.wait(20) == 2
        assert words in one.log()
        assert "Traceback" not in one.log()
        assert "next: " in one.log()
