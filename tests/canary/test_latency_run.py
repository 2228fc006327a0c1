"""Latency profiles of real llama.cpp engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_agent.canaries.asker import AskError
from quantdeck_agent.canaries.latency import ArmHasUsersError
from quantdeck_agent.canaries.target import ArmLoad
from quantdeck_core.errors import ConflictError, NotFoundError
from support.canary_trial import Trial
from support.played_engine import PlayedEngine
from support.waiting import eventually


async def test_an_engine_is_measured_at_every_load_and_it_is_remembered(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"])
    assert trial.latencies.latency("e") is None
    profile = await trial.latencies.measure_now("e")
    assert profile.complete
    assert [(one.concurrency, one.requests) for one in profile.levels] == [(1, 16), (2, 16), (4, 16), (8, 32)]
    for one in profile.levels:
        assert one.ttft
        assert one.itl
        assert one.e2e
        assert 0 < one.ttft.p50_ms <= one.e2e.p50_ms
        assert one.itl.count > one.requests
        assert one.tokens_per_s > 0
    await trial.again()
    assert trial.latencies.latency("e") == profile
    assert trial.latencies.latency("e", "control") is None
    trial.serve(engines["f16"], engines["q8_0"], epochs=(1, 3))
    assert trial.latencies.latency("e") is None  # another engine serves now


async def test_an_arm_with_users_is_measured_only_where_somebody_insists(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"], weight_bp=500)
    for variant in ("control", "treatment"):
        with pytest.raises(ArmHasUsersError, match="has users, who would feel it"):
            await trial.latencies.measure_now("e", variant)  # type: ignore[arg-type]
    trial.load["treatment"] = ArmLoad(waiting=1)
    profile = await trial.latencies.measure_now("e", with_users=True)
    assert not profile.complete
    assert profile.note == "ended early: users wait for this arm"


async def test_what_was_begun_ends_with_a_profile_or_says_why(
    trial: Trial, engines: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError):
        trial.latencies.begin("e", ("treatment",), with_users=False)
    played = PlayedEngine(tmp_path / "played")
    played.plays(status=500)
    with played.serving() as url:
        trial.serve(engines["f16"], url)
        trial.latencies.begin("e", ("treatment",), with_users=False)
        assert trial.latencies.state("e").running
        await eventually(lambda: trial.latencies.state("e").runs == 1)
        state = trial.latencies.state("e")
        assert (state.running, state.treatment) == (False, None)
        assert state.error
        assert "treatment.2 does not answer: HTTP 500" in state.error.detail
        with pytest.raises(AskError):
            await trial.latencies.measure_now("e")


async def test_an_arm_that_is_not_ready_is_not_measured(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"])
    assert trial.target
    trial.target = type(trial.target)(
        settings=trial.target.settings, control=trial.target.control, treatment=(), weight_bp=0
    )
    with pytest.raises(ConflictError, match="The treatment is not ready"):
        await trial.latencies.measure_now("e")
