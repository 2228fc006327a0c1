"""What cannot be started is refused with a reason, and nothing of it is left: no process, no record, no operation."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_core.errors import RemoteError
from quantdeck_core.profile.schema import Profile
from support.deck import Deck, changed, deck
from support.played_engine import PlayedEngine
from support.processes import identity


async def refused(host: Deck, profile: Profile, code: str, **how: object) -> str:
    """Ask, and see that it is refused for this and that nothing has changed; what people are told."""
    before = await host.client.status()
    operations = (await host.client.operations()).operations
    processes = {one.pid for one in host.agent.marked()}
    with pytest.raises(RemoteError) as caught:
        await host.begin(profile, **how)
    info = caught.value.info()
    assert info.code == code
    assert info.hint, "what to do next is missing"
    after = await host.client.status()
    assert [(one.name, one.generation, one.pid) for one in after.engines] == [
        (one.name, one.generation, one.pid) for one in before.engines
    ]
    assert (await host.client.operations()).operations == operations
    assert {one.pid for one in host.agent.marked()} == processes
    return f"{info.detail} {info.hint}"


async def nothing_is_left(host: Deck) -> None:
    """On disk, and for the name."""
    host.agent.kill()
    with host.agent.opened() as store:
        assert store.all("engine", EngineRecord) == {}
        assert store.all("deployment", Deployment) == {}
    await host.agent.start()
    assert (await host.deploy(changed())).state == "ready", "the name is free"


async def test_an_executable_that_is_missing(demo_models: Path, tmp_path: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
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
    async with deck(models, gateway=False) as host:
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
    async with deck(models, gateway=False) as host:
        for model in ("../outside.gguf", "link.gguf", "folder/outside.gguf", "folder/../../outside.gguf", str(secret)):
            assert "leads out of the model root" in await refused(host, changed(model=model), "bad-model-path")
        await refused(host, changed(model="nosuch.gguf"), "model-missing")
        await nothing_is_left(host)


async def test_a_port_that_a_stranger_has(demo_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with deck(demo_models, gateway=False) as host:
            assert str(port) in await refused(host, changed(serve_port=port), "port-in-use")
            # The second replica's port is the one that is taken.
            await refused(host, changed(serve_port=port - 1, serve_replicas=2), "port-in-use")
            before = identity(await host.deploy(changed()))
            await refused(host, changed(serve_port=port), "port-in-use", replace=True)
            assert identity(await host.until("ready")) == before
            await host.stop()
            await nothing_is_left(host)


async def test_a_stranger_that_answers_in_an_engines_place(demo_models: Path, tmp_path: Path) -> None:
    """It serves another model than was asked for."""
    played = PlayedEngine(tmp_path / "played")
    played.plays(model="something-else")
    async with deck(demo_models, gateway=False) as host:
        with pytest.raises(RemoteError, match="something-else") as caught:
            await host.deploy(played.profile())
        assert caught.value.info().code == "wrong-model"
        assert not host.agent.marked()


async def test_a_name_that_runs_already(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(changed())
        assert "--replace" in await refused(host, changed("demo-q8"), "name-in-use")


async def test_a_profile_that_does_not_fit_is_refused_unless_forced(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        large = changed(serve_max_model_len=500_000_000)
        assert "--force" in await refused(host, large, "does-not-fit")
        # Forced, it is started (here with a model that llama.cpp would not load, before it takes all memory).
        broken = demo_models / "cut.gguf"
        broken.write_bytes((demo_models / "demo-f16.gguf").read_bytes()[:-300_000])
        applied = await host.begin(changed(serve_max_model_len=500_000_000, model="cut.gguf"), force=True)
        operation = await host.end(applied.operation)
        broken.unlink()
        if operation.forced:
            assert operation.forced.startswith("test: ")
        timeline = (await host.client.engine("engine")).timeline
        assert any(bool(operation.forced) == ("forced by test" in entry.text) for entry in timeline)
