"""A control that was stopped, brought back by a real agent's engines."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.experiments.cold_control import ColdControl, ControlNotBackError
from quantdeck_agent.models.hasher import Meter
from quantdeck_checkpoints.hashing import sha256_of
from quantdeck_core.errors import QuantdeckError
from support.engine_host import EngineHost, engine_host
from support.played_engine import PlayedEngine
from support.waiting import eventually


async def _digest(path: Path, meter: Meter) -> str:
    found = await asyncio.to_thread(sha256_of, path)
    meter.add(path.stat().st_size)
    return found


def _cold(host: EngineHost) -> ColdControl:
    return ColdControl(host.engines, host.models, _digest)


async def _served_once(host: EngineHost, played: PlayedEngine) -> None:
    assert (await host.deploy(played.profile())).state == "done"
    await eventually(lambda: host.engines.sha256("engine"))


async def _stopped(host: EngineHost) -> None:
    await host.end(await host.engines.supervisor.stop("engine", "ada"))
    assert host.engines.serving("engine") == ()


async def test_a_stopped_control_is_checked_and_started(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(demo_models) as host:
        await _served_once(host, played)
        cold, told = _cold(host), []
        recipe = cold.recipe("engine")
        assert recipe
        await cold.bring_back("engine", recipe, told.append)
        assert told == [], "it served all the time"
        await _stopped(host)
        assert cold.recipe("engine") is None
        assert cold.expected_s("engine") is not None
        await cold.bring_back("engine", recipe, told.append)
        assert host.engines.serving("engine")
        assert any(text.startswith("checking ") for text in told)
        assert any("of about" in text for text in told)
        assert cold.recipe("engine") == recipe


async def test_another_checkpoint_is_not_started(demo_models: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(demo_models, models)
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(models) as host:
        await _served_once(host, played)
        cold = _cold(host)
        recipe = cold.recipe("engine")
        assert recipe
        await _stopped(host)
        with (models / recipe.profile.model).open("r+b") as file:
            file.seek(-1, 2)
            last = file.read(1)
            file.seek(-1, 2)
            file.write(bytes([last[0] ^ 1]))
        with pytest.raises(ControlNotBackError, match="is not the one that served"):
            await cold.bring_back("engine", recipe, lambda _: None)
        assert host.processes() == []


async def test_a_start_that_goes_on_is_waited_for_and_one_that_fails_is_told(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(demo_models) as host:
        await _served_once(host, played)
        cold = _cold(host)
        recipe = cold.recipe("engine")
        await _stopped(host)
        played.plays(waits=True)
        begun = await host.begin(played.profile())
        waiting = asyncio.create_task(cold.bring_back("engine", None, lambda _: None))
        await host.at(begun, "load")
        played.plays()
        await waiting
        assert host.engines.serving("engine")
        await _stopped(host)
        played.plays(dies=True)
        with pytest.raises(ControlNotBackError, match="did not start"):
            await cold.bring_back("engine", recipe, lambda _: None)


async def test_a_control_that_is_refused_room_says_so_and_one_that_was_forced_before_is_forced_again(
    demo_models: Path, tmp_path: Path
) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(demo_models) as host:
        await _served_once(host, played)
        cold = _cold(host)
        recipe = cold.recipe("engine")
        assert recipe
        await _stopped(host)
        host.room(0.0001)
        with pytest.raises(QuantdeckError):
            await cold.bring_back("engine", recipe, lambda _: None)
        await cold.bring_back("engine", msgspec.structs.replace(recipe, forced=True), lambda _: None)
        assert host.engines.serving("engine")
