"""Fault 6: an engine that hangs while its port and its health check answer."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from quantdeck_core.protocol.engine import EngineStatus
from support.deck import changed, deck
from support.played_engine import PlayedEngine
from support.processes import identity, session, signal_all
from support.traffic import traffic


@pytest.mark.slow
async def test_a_green_health_check_does_not_keep_an_engine_that_answers_nothing(
    demo_models: Path, tmp_path: Path
) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(no_metrics=True)
    async with deck(demo_models) as host:
        await host.deploy(changed(), "control")
        before = identity(await host.deploy(played.profile(), "treatment"))
        await host.experiment("control", "treatment", 5000)
        began = time.monotonic()
        played.plays(no_metrics=True, status=500)
        await host.until("hung", "treatment", 30)
        status = await host.when(lambda status: status.experiments[0].state.weight_bp == 0, 5)
        print(f"\nejected after {time.monotonic() - began:.1f} s")
        assert any("treatment hangs" in alarm.text for alarm in status.alarms)
        await host.agent.again()
        assert (await host.engine("treatment")).state == "hung", "the next agent gives it no users either"
        async with traffic(host.gateway) as users:
            await users.more(10)
        assert (users.failures, users.by_variant.keys()) == ([], {"control"})
        played.plays(no_metrics=True)
        assert identity(await host.until("ready", "treatment")) == before


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_stopped_engine_is_ejected_within_30_s_and_restarted_after_a_minute(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        await host.deploy(changed(), "control")
        engine: EngineStatus = await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 5000)
        began = time.monotonic()
        signal_all(session(engine.pid or 0), signal.SIGSTOP)
        await host.until("hung", "treatment", 30)
        await host.when(lambda status: status.experiments[0].state.weight_bp == 0, 30)
        ejected = time.monotonic() - began
        assert ejected <= 30
        again = await host.until("ready", "treatment", 100, generation=2)
        print(f"\nejected after {ejected:.1f} s, another one ready after {time.monotonic() - began:.1f} s")
        assert again.pid != engine.pid
        assert not session(engine.pid or 0)
