"""Fault 5: an engine that ends again and again is left alone, and says so; when it is tried again is told meanwhile.

How pauses grow, and when exactly it is given up, is in tests/core/test_engine_restart.py.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from support.deck import changed, deck
from support.engine_host import engine_host
from support.played_engine import PlayedEngine


async def test_a_crash_loop_is_given_up_and_says_so(demo_models: Path) -> None:
    model = demo_models / "crashing.gguf"
    model.write_bytes((demo_models / "demo-f16.gguf").read_bytes())
    async with deck(demo_models, gateway=False) as host:
        engine = await host.deploy(changed(model="crashing.gguf"))
        model.write_bytes(model.read_bytes()[:100_000])  # from now on it ends while loading
        began = time.monotonic()
        os.kill(engine.pid or 0, signal.SIGKILL)
        failed = await host.until("failed")
        took = time.monotonic() - began
        model.unlink()
        assert failed.error
        assert "gave up after 5 starts within 10 s" in failed.error.detail
        assert 0.1 + 0.2 + 0.4 <= took <= 12, "it backed off in between"
        assert not host.agent.marked()
        status = await host.client.status()
        assert any("somebody has to look" in alarm.text for alarm in status.alarms)
        operations = (await host.client.operations()).operations
        assert [one.state for one in operations if one.kind == "recover"] == ["failed"] * 4
        assert (await host.deploy(changed())).state == "ready", "somebody acts"


async def test_a_pause_is_told(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(demo_models) as host:
        await host.deploy(played.profile())
        group = host.group("engine")
        # As after five failures that were more than 10 s apart.
        group.restarts[0] = group.restarts[0]._replace(failures=5)
        os.kill(host.statuses()[0].pid or 0, signal.SIGKILL)
        waiting = await host.until("restarting")
        assert waiting.error
        assert "ended by itself" in waiting.error.detail
        await host.noted("starts again in 3 s")
        ready = await host.until("ready")
        assert ready.generation == 2
