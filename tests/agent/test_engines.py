"""Engines under a real agent: real llama.cpp, real processes, real kills."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.engines.metrics import read_metrics
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Deploy, Stop
from support.agents import AgentProcess, agent, engine_when, status_when
from support.waiting import eventually


def deployment(profile: str = "demo-f16", *, request_id: str = "r1", **changes: object) -> Deploy:
    replace = bool(changes.pop("replace", False))
    return Deploy(
        request_id=request_id,
        by="test",
        profile=msgspec.structs.replace(load_profile(profile), **changes),  # type: ignore[arg-type]
        name="engine",
        replace=replace,
    )


async def deploy(client: AgentClient, ask: Deploy) -> EngineStatus:
    applied = await client.deploy(ask)
    return await wait_until_ready(client, "engine", applied.operation)


def identity(engine: EngineStatus) -> tuple[int, float]:
    assert engine.pid
    return engine.pid, psutil.Process(engine.pid).create_time()


async def test_an_engine_is_ready_only_after_it_answered(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        engine = await deploy(client, deployment())
        assert engine.state == "ready"
        assert engine.ready_s is not None
        async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as http:
            counted = read_metrics("xllamacpp", (await http.get("/metrics")).text)
        # One token, then three warm-up prompts, before anybody was told that it is ready.
        assert counted.generated_tokens is not None
        assert counted.generated_tokens >= 4
        status = await status_when(client, lambda s: s.engines[0].rss_bytes and s.engines[0].model_sha256)
        assert status.engines[0].running == 0
        await client.close()


async def test_the_same_request_is_applied_once(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        first = await client.deploy(deployment())
        assert await client.deploy(deployment()) == first
        await engine_when(client, "engine", "ready")
        assert len(one.marked()) == 1
        with pytest.raises(RemoteError) as caught:
            await client.deploy(deployment(request_id="r2"))
        assert caught.value.info().code == "name-in-use"
        await client.close()


async def test_a_killed_agent_finds_its_engine_again(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        before = identity(await deploy(client, deployment()))
        for _ in range(3):
            one.kill()
            await one.start()
            assert identity(await engine_when(client, "engine", "ready")) == before
        assert len(one.marked()) == 1
        await client.close()


async def test_an_agent_that_ends_leaves_its_engine_running(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        engine = await deploy(client, deployment())
        await client.close()
        assert one.terminate() == 0
        assert psutil.pid_exists(engine.pid or 0)


async def test_replacing_keeps_the_name_and_ends_the_old_process(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        old = await deploy(client, deployment())
        new = await deploy(client, deployment("demo-q8", request_id="r2", replace=True))
        assert (new.generation, new.model) == (2, "demo-q8_0.gguf")
        await eventually(lambda: [p.pid for p in one.marked()] == [new.pid], what="the old process is gone")
        assert old.pid != new.pid
        await client.close()


async def test_a_replacement_that_fails_leaves_the_old_one_serving(demo_models: Path) -> None:
    broken = demo_models / "truncated.gguf"
    broken.write_bytes((demo_models / "demo-f16.gguf").read_bytes()[:100_000])
    async with agent(demo_models) as one:
        client = one.client()
        old = await deploy(client, deployment())
        with pytest.raises(RemoteError, match="ended"):
            await deploy(client, deployment(request_id="r2", replace=True, model="truncated.gguf"))
        status = await client.status()
        assert (status.engines[0].state, status.engines[0].pid) == ("ready", old.pid)
        assert status.alarms[-1].level == "fail"
        await client.close()


async def test_an_engine_that_ends_by_itself_is_started_again(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        engine = await deploy(client, deployment())
        assert engine.pid
        os.kill(engine.pid, 9)
        recovered = [one.kind for one in (await status_when(client, recovery_is_done)).operations]
        assert recovered == ["deploy", "recover"]
        status = await client.status()
        (again,) = status.engines
        assert again.pid != engine.pid
        # The same checkpoint by the same command: it is judged as what ran before.
        assert (again.state, again.generation, again.epoch) == ("ready", 2, 1)
        assert "ended by itself" in status.alarms[0].text
        async with asyncio.timeout(10):  # a start is noted once its checkpoint has been read
            while len(timeline := (await client.engine("engine")).timeline) < 5:
                await asyncio.sleep(0.05)
        assert [entry.kind for entry in timeline] == ["deploy", "start", "engine", "recover", "start"]
        await client.close()


def recovery_is_done(status: HostStatus) -> bool:
    return any(one.kind == "recover" and one.state == "done" for one in status.operations)


async def test_a_crash_loop_is_given_up_and_says_so(demo_models: Path) -> None:
    model = demo_models / "crashing.gguf"
    model.write_bytes((demo_models / "demo-f16.gguf").read_bytes())
    async with agent(demo_models) as one:
        client = one.client()
        engine = await deploy(client, deployment(model="crashing.gguf"))
        model.write_bytes(model.read_bytes()[:100_000])  # from now on it ends while loading
        assert engine.pid
        os.kill(engine.pid, 9)
        failed = await engine_when(client, "engine", "failed")
        assert failed.error
        assert "gave up after 5 starts within 10 s" in failed.error.detail
        assert not one.marked()
        assert any("somebody has to look" in alarm.text for alarm in (await client.status()).alarms)
        again = await deploy(client, deployment(request_id="r2"))
        assert again.state == "ready"
        await client.close()


async def test_a_generation_never_comes_twice(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        assert (await deploy(client, deployment())).generation == 1
        await client.stop("engine", Stop(request_id="s1"))
        await status_when(client, lambda status: not status.engines)
        one.kill()
        await one.start()
        assert (await deploy(client, deployment(request_id="r2"))).generation == 2
        await client.close()


async def test_stopping_ends_the_process_and_forgets_the_name(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        await deploy(client, deployment())
        await client.stop("engine", Stop(request_id="s1"))
        await status_when(client, lambda status: not status.engines)
        await eventually(lambda: not one.marked())
        await client.close()


@pytest.mark.parametrize(
    ("model", "code"),
    [("nosuch.gguf", "model-missing"), ("../outside.gguf", "bad-model-path"), ("notes.gguf", "bad-model-path")],
)
async def test_a_model_that_cannot_be_used_starts_nothing(demo_models: Path, model: str, code: str) -> None:
    (demo_models / "notes.gguf").write_text("not a checkpoint")
    async with agent(demo_models) as one:
        client = one.client()
        with pytest.raises(RemoteError) as caught:
            await client.deploy(deployment(model=model))
        assert caught.value.info().code == code
        assert caught.value.hint
        assert not (await client.status()).engines
        assert not one.marked()
        await client.close()


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", ".hidden", "A", "x" * 64])
async def test_a_name_that_could_leave_its_folder_is_refused(demo_models: Path, name: str) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        with pytest.raises(RemoteError) as caught:
            await client.deploy(msgspec.structs.replace(deployment(), name=name))
        assert caught.value.info().code == "bad-request"
        assert not one.marked()
        await client.close()


async def test_a_fixed_port_that_is_taken_starts_nothing(demo_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        serve = msgspec.structs.replace(load_profile("demo-f16").serve, port=taken.getsockname()[1])
        async with agent(demo_models) as one:
            client = one.client()
            with pytest.raises(RemoteError) as caught:
                await client.deploy(deployment(serve=serve))
            assert caught.value.info().code == "port-in-use"
            assert not one.marked()
            await client.close()


async def test_a_second_agent_on_the_same_state_is_refused(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        second = AgentProcess(one.folder, demo_models)
        second.ready_file.rename(second.ready_file.with_suffix(".kept"))
        await second.start(ready=False)
        assert second.process
        assert second.process.wait(timeout=10) == 3
        assert "already uses" in one.log()


async def test_when_its_lifeline_ends_the_agent_takes_everything_along(demo_models: Path) -> None:
    reading, writing = os.pipe()
    async with agent(demo_models) as one:
        one.kill()
        one.arguments = ("--gateway", "127.0.0.1:0", "--lifeline-fd", str(reading))
        await one.start(pass_fds=[reading])
        os.close(reading)
        client = one.client()
        await deploy(client, deployment())
        await client.close()
        assert len(one.marked()) >= 2
        os.close(writing)
        assert one.process
        await eventually(lambda: one.process and one.process.poll() is not None, what="the agent ended")
        assert one.process.returncode == 0
        assert not one.marked()
