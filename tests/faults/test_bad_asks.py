"""What cannot be started is refused with a reason, and nothing of it is left: no process, no record, no operation."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path

import httpx
import pytest

from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.profile.schema import Profile
from support.deck import changed
from support.engine_host import EngineHost, engine_host
from support.played_engine import PlayedEngine
from support.processes import identity
from support.waiting import eventually


async def refused(host: EngineHost, profile: Profile, code: str, **how: object) -> str:
    """Ask, and see that it is refused for this and that nothing has changed; what people are told."""
    engines, operations, processes = host.statuses(), host.engines.operations.all(), host.processes()
    with pytest.raises(QuantdeckError) as caught:
        await host.begin(profile, **how)
    info = caught.value.info()
    assert info.code == code
    assert info.hint, "what to do next is missing"
    assert [(one.name, one.pid) for one in host.statuses()] == [(one.name, one.pid) for one in engines]
    assert host.engines.operations.all() == operations
    assert host.processes() == processes
    return f"{info.detail} {info.hint}"


async def nothing_is_left(host: EngineHost) -> None:
    """On disk, and for the name."""
    assert host.store.all("engine", EngineRecord) == {}
    assert host.store.all("deployment", Deployment) == {}
    assert (await host.deploy(changed())).state == "done", "the name is free"


async def test_an_executable_that_is_missing(demo_models: Path, tmp_path: Path) -> None:
    async with engine_host(demo_models) as host:
        said = await refused(
            host, changed(engine="llama-server", executable="/opt/nowhere/llama-server"), "executable-missing"
        )
        assert "/opt/nowhere/llama-server" in said
        plain = tmp_path / "llama-server"
        plain.write_text("not a program")
        await refused(host, changed(engine="llama-server", executable=str(plain)), "executable-missing")
        await refused(host, changed(engine="llama-server", executable="/bin/sh"), "bad-input")
        python = Profile(name="a", model="demo-f16.gguf", engine="llama-cpp-python", executable=sys.executable)
        assert "has no llama-cpp-python" in await refused(host, python, "executable-missing")
        await nothing_is_left(host)


async def test_an_executable_below_the_model_root(demo_models: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(demo_models, models)
    inside = PlayedEngine(models / "pushed")
    outside = tmp_path / "llama-server-link"
    outside.symlink_to(inside.program)
    async with engine_host(models) as host:
        for program in (inside.program, outside, models / "pushed" / ".." / "pushed" / inside.program.name):
            said = await refused(host, changed(engine="llama-server", executable=str(program)), "bad-input")
            assert "below the model root" in said
        await nothing_is_left(host)


async def test_a_model_outside_the_root(demo_models: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(demo_models, models)
    secret = tmp_path / "outside.gguf"
    os.link(demo_models / "demo-f16.gguf", secret)
    (models / "link.gguf").symlink_to(secret)
    (models / "folder").symlink_to(tmp_path)
    async with engine_host(models) as host:
        for model in ("../outside.gguf", "link.gguf", "folder/outside.gguf", "folder/../../outside.gguf", str(secret)):
            assert "leads out of the model root" in await refused(host, changed(model=model), "bad-model-path")
        await refused(host, changed(model="nosuch.gguf"), "model-missing")
        await nothing_is_left(host)


async def test_a_port_that_a_stranger_has(demo_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with engine_host(demo_models) as host:
            assert str(port) in await refused(host, changed(serve_port=port), "port-in-use")
            # The second replica's port is the one that is taken.
            await refused(host, changed(serve_port=port - 1, serve_replicas=2), "port-in-use")
            await nothing_is_left(host)
            before = identity(host.statuses()[0])
            await refused(host, changed(serve_port=port), "port-in-use", replace=True)
            assert identity(host.statuses()[0]) == before


async def test_a_stranger_that_answers_in_an_engines_place(demo_models: Path, tmp_path: Path) -> None:
    """It serves another model than was asked for."""
    played = PlayedEngine(tmp_path / "played")
    played.plays(model="something-else")
    async with engine_host(demo_models) as host:
        ended = await host.deploy(played.profile())
        assert ended.state == "failed"
        assert ended.error
        assert ended.error.code == "wrong-model"
        assert "something-else" in ended.error.detail
        assert not host.processes()


async def test_a_stranger_on_the_port_is_not_taken_for_the_engine(demo_models: Path, tmp_path: Path) -> None:
    """The port was free when it was chosen; a server that is there first would answer every question with yes."""
    played = PlayedEngine(tmp_path / "played")
    played.plays(waits=True)
    connections = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with engine_host(demo_models) as host:
        operation = await host.begin(played.profile())
        await eventually(lambda: host.statuses() and host.statuses()[0].pid)
        url = host.statuses()[0].url
        async with await asyncio.start_server(answer, "127.0.0.1", int(url.rpartition(":")[2])):
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(f"{url}/health")).status_code == 200
            async with host.next_agent() as following:
                await following.at(operation, "load")  # it looks at the port again and again
                played.plays()  # the engine finds its port taken
                ended = await following.end(operation)
                assert not following.processes()
        assert ended.state == "failed"
        assert ended.error
        assert ended.error.code == "port-in-use"
        assert len(connections) == 1, "the agent has asked a stranger"


async def test_a_name_that_runs_already(demo_models: Path) -> None:
    async with engine_host(demo_models) as host:
        await host.deploy(changed())
        assert "--replace" in await refused(host, changed("demo-q8"), "name-in-use")


async def test_a_profile_that_does_not_fit_is_refused_unless_forced(demo_models: Path, tmp_path: Path) -> None:
    large = PlayedEngine(tmp_path / "played").profile(serve_max_model_len=500_000_000)
    async with engine_host(demo_models) as host:
        assert "--force" in await refused(host, large, "does-not-fit")
        await nothing_is_left(host)
        assert "--force" in await refused(host, large, "does-not-fit", replace=True)
        operation = await host.deploy(large, replace=True, force=True)
        assert operation.state == "done", operation.error
        assert operation.forced.startswith("test: It needs")
        assert any(f"forced by {operation.forced}" in entry.text for entry in host.engines.detail("engine").timeline)
        assert host.store.all("deployment", Deployment)["engine"].forced == operation.forced
