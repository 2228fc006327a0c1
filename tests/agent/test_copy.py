"""Deployments whose checkpoint is not on the host yet: it is fetched as their first step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from quantdeck_console.link.deployment import follow, wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.errors import RemoteError
from quantdeck_core.profile.schema import Source as Origin
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Deploy
from support.agents import agent, status_when
from support.sources import Source, served


def deployment(url: str, sha256: str) -> Deploy:
    profile = msgspec.structs.replace(
        load_profile("demo-f16"), model="fetched.gguf", source=Origin(origin=f"{url}/m.gguf", sha256=sha256)
    )
    return Deploy(request_id="1", by="test", profile=profile, name="engine")


async def test_it_is_fetched_then_started(demo_models: Path, tmp_path: Path) -> None:
    content = (demo_models / "demo-f16.gguf").read_bytes()
    source = Source(files={"/m.gguf": content})
    async with served(source), agent(tmp_path / "models") as one:
        client = one.client()
        seen: list[Operation] = []
        applied = await client.deploy(deployment(source.url, hashlib.sha256(content).hexdigest()))
        engine = await wait_until_ready(client, "engine", applied.operation, seen.append)
        assert (engine.state, engine.model) == ("ready", "fetched.gguf")
        assert engine.planned_bytes
        done = await client.operation(applied.operation)
        assert [step.name for step in done.steps][:3] == ["copy", "room", "start"]
        assert all(step.state == "done" for step in done.steps)
        assert (tmp_path / "models" / "fetched.gguf").read_bytes() == content
        await client.close()


async def test_an_agent_that_is_killed_while_it_fetches_goes_on(demo_models: Path, tmp_path: Path) -> None:
    content = (demo_models / "demo-f16.gguf").read_bytes()
    source = Source(files={"/m.gguf": content}, cut_after=[100_000] * 50)
    async with served(source), agent(tmp_path / "models") as one:
        client = one.client()
        applied = await client.deploy(deployment(source.url, hashlib.sha256(content).hexdigest()))
        await status_when(client, lambda s: s.operations[0].current and s.operations[0].current.name == "copy")
        one.kill()
        source.cut_after.clear()
        await one.start()
        assert (await follow(client, applied.operation)).state == "done"
        await client.close()


async def test_what_is_not_what_it_should_be_starts_nothing(demo_models: Path, tmp_path: Path) -> None:
    content = (demo_models / "demo-f16.gguf").read_bytes()
    source = Source(files={"/m.gguf": content})
    async with served(source), agent(tmp_path / "models") as one:
        client = one.client()
        applied = await client.deploy(deployment(source.url, "0" * 64))
        with pytest.raises(RemoteError):
            await follow(client, applied.operation)
        failed = await client.operation(applied.operation)
        assert [step.name for step in failed.steps if step.state == "failed"] == ["copy"]
        assert not one.marked()
        assert not (tmp_path / "models" / "fetched.gguf").exists()
        await client.close()
