"""Fault 11, for rollouts: the time of day jumps while a plan soaks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.played_rollout import FIRST_BP, LONG_S, LOOP, SECOND_BP, played_rollout, says, step
from support.set_clock import SetClock

HOUR_S = 3600.0
SOAK_S = 4.0


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_soak_is_as_long_as_it_would_be(
    jump_s: float, demo_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(tmp_path / "clock", monkeypatch)
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S), missing_deadline_s=5.0)
        entered = await it.at(FIRST_BP)
        began = time.monotonic()
        await it.progress_when(lambda now: 0 < now.soaked_s < SOAK_S)
        clock.jump(jump_s)
        up = await it.at(SECOND_BP)
        assert time.monotonic() - began >= SOAK_S - 1.0
        # It has seen the jump.
        assert abs(up.state.since - entered.state.since - jump_s) < 60
        clock.jump(-2 * jump_s)
        later = await it.progress_when(lambda now: now.soaked_s > 3.0)
        assert later.soaked_s < time.monotonic() - began
        assert (await it.host.state()).last_rollback is None
        assert users.failures == []


async def test_a_treatment_that_loops_after_a_jump_is_put_back(
    demo_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(tmp_path / "clock", monkeypatch)
    async with played_rollout(demo_models, tmp_path) as it, it.traffic():
        await it.start(step(FIRST_BP, LONG_S))
        await it.at(FIRST_BP)
        await it.host.roll_back("to see what follows")
        await it.host.clear()
        clock.jump(-HOUR_S)
        await it.at(500)
        it.treatment.plays(**says(LOOP))
        back = await it.when(lambda now: now.state.latched)
        assert "repetition" in back.state.reason
