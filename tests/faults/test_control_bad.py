"""Faults 26 and 27: the control is dead, or as bad as the treatment. Nothing rises, nobody goes back onto it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from quantdeck_core.errors import RemoteError
from support.played_rollout import FIRST_BP, LONG_S, LOOP, SECOND_BP, PlayedRollout, played_rollout, says, step
from support.processes import session, signal_all

SOAK_S = 3.0


async def _held(it: PlayedRollout, why: str) -> None:
    """The plan is paused by quantdeck, a person is woken, and nobody gets it up."""
    held = await it.progress_when(lambda now: now.phase == "paused")
    assert any(one.startswith("paused by quantdeck") and why in one for one in held.waits_for)
    page = await it.paged(why)
    assert (page.level, page.ended) == ("fail", 0.0)
    with pytest.raises(RemoteError, match="paused by quantdeck"):
        await it.steer("promote", "it looks good")
    await it.steer("resume")
    with pytest.raises(RemoteError):
        await it.steer("promote", "it looks good")
    await it.progress_when(lambda now: now.phase == "paused")
    route = await it.route()
    assert (route.latched, route.weight_bp) == (False, FIRST_BP)


async def test_a_control_that_dies_stops_the_plan(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic():
        await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S))
        await it.at(FIRST_BP)
        it.control.plays(dies=True)
        engine = await it.host.engine("control")
        assert engine.pid
        signal_all(session(engine.pid), signal.SIGKILL)
        await _held(it, "the control is not ready")


async def test_a_breach_waits_for_a_control_that_was_stopped_and_is_carried_out_when_it_is_back(
    demo_models: Path, tmp_path: Path
) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S))
        await it.at(FIRST_BP)
        it.control.plays(waits=True)
        await it.host.stop("control")
        await _held(it, "the control is not ready")
        it.treatment.plays(**says(LOOP))
        pending = await it.when(lambda now: now.state.pending)
        assert (pending.state.weight_bp, pending.state.latched) == (FIRST_BP, False)
        page = await it.paged("pending")
        assert "until the control is ready" in page.text
        # The agent starts it again; until it answers nobody is sent there.
        await it.when(lambda now: "it is being started" in now.rollback.why)
        users.by_variant.clear()
        await users.more(20)
        assert set(users.by_variant) == {"treatment"}
        route = await it.route()
        assert (route.latched, route.weight_bp) == (False, FIRST_BP)
        it.control.plays()
        back = await it.when(lambda now: now.state.latched)
        assert (back.state.weight_bp, back.state.by, back.state.from_bp) == (0, "quantdeck", FIRST_BP)
        assert any(word in back.state.reason for word in ("loop", "repetition"))
        route = await it.route()
        assert (route.latched, route.weight_bp) == (True, 0)
        users.by_variant.clear()
        await users.more(20)
        assert set(users.by_variant) == {"control"}


async def test_nobody_is_promoted_because_the_control_is_worse(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it:
        it.control.plays(**says(LOOP))
        async with it.traffic() as users:
            await it.when(lambda now: now.verdict.kind == "control-unhealthy")
            await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S))
            await it.progress_when(lambda now: any(one.startswith("control-unhealthy") for one in now.waits_for))
            await users.more(100)
            assert (await it.host.state()).state.weight_bp == 0
            assert set(users.by_variant) == {"control"}


async def test_a_control_that_turns_bad_gets_nobody_back_and_the_treatment_no_one_more(
    demo_models: Path, tmp_path: Path
) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, SOAK_S, 1_000), step(SECOND_BP, LONG_S))
        await it.when(lambda now: now.state.weight_bp == FIRST_BP and now.verdict.kind == "healthy")
        it.control.plays(**says(LOOP))
        await _held(it, "control")
        await users.more(200)
        now = await it.host.state()
        assert (now.state.weight_bp, now.state.latched, now.last_rollback) == (FIRST_BP, False, None)


async def test_where_both_are_bad_weights_stay_and_a_person_is_woken(demo_models: Path, tmp_path: Path) -> None:
    # Most users are on the control, so that it is known first to be no measure.
    async with played_rollout(demo_models, tmp_path) as it, it.traffic(treated=1, untreated=3) as users:
        await it.start(step(FIRST_BP, SOAK_S, 1_000), step(SECOND_BP, LONG_S))
        await it.when(lambda now: now.state.weight_bp == FIRST_BP and now.verdict.kind == "healthy")
        for engine in (it.control, it.treatment):
            engine.plays(**says(LOOP))
        await _held(it, "control")
        await users.more(100)
        now = await it.host.state()
        assert (now.state.weight_bp, now.state.latched, now.last_rollback) == (FIRST_BP, False, None)
