"""What goes wrong around a rollout: clocks, metrics, controls and races, as the machine alone decides it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quantdeck_core.errors import ConflictError
from quantdeck_core.rollout.events import (
    MAX_ELAPSED_S,
    LatchCleared,
    RollbackAsked,
    Tick,
    TreatmentFailed,
    WeightAsked,
)
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.state import RolloutState
from support.rollouts import PLAN, Agent, gates, run_of, soaking

DEADLINE = int(PLAN.missing_deadline_s)


# The clock jumps an hour either way


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0])
def test_a_clock_that_jumps_cuts_no_soak_short_and_rolls_nothing_back(jump: float) -> None:
    agent, steady = soaking(), soaking()
    for one in (agent, steady):
        one.tick(5)
    agent.now += jump
    for one in (agent, steady):
        one.tick(5)
        one.tick(3, metrics_fresh=False)
    assert run_of(agent.state) == run_of(steady.state)
    assert agent.state.missing_s == steady.state.missing_s == 3.0
    assert agent.kinds == steady.kinds


@pytest.mark.parametrize("elapsed_s", [3_600.0, float("inf"), -3_600.0, float("nan")])
def test_no_tick_counts_for_more_than_a_few_seconds_or_less_than_none(elapsed_s: float) -> None:
    agent = soaking()
    agent.tick(2)
    before = run_of(agent.state).soaked_s
    agent.do(Tick(elapsed_s=elapsed_s, gates=gates(outputs=agent.outputs)))
    assert run_of(agent.state).soaked_s == before + (MAX_ELAPSED_S if elapsed_s == 3_600.0 else 0.0)
    agent.do(Tick(elapsed_s=elapsed_s, gates=gates(outputs=agent.outputs, metrics_fresh=False)))
    assert agent.state.missing_s == (MAX_ELAPSED_S if elapsed_s == 3_600.0 else 0.0)
    assert not agent.state.latched


# Metrics missing or no number


def test_missing_metrics_hold_then_lead_back() -> None:
    agent = soaking()
    agent.tick(10)
    soaked = run_of(agent.state).soaked_s
    agent.tick(DEADLINE - 1, metrics_fresh=False, metrics_why="ttft_p95_ms is nan", verdict="inconclusive")
    assert (agent.state.weight_bp, run_of(agent.state).soaked_s) == (1_000, soaked)
    assert [one.level for one in agent.alerts] == ["warn"]
    assert "ttft_p95_ms is nan" in agent.alerts[0].text
    assert "everyone goes back in 28 s" in agent.alerts[0].text
    agent.tick(1, metrics_fresh=False, metrics_why="ttft_p95_ms is nan", verdict="inconclusive")
    assert (agent.state.stage, agent.state.reason) == ("rollback", "no metrics for 30 s: ttft_p95_ms is nan")


def test_metrics_that_come_back_begin_a_new_deadline_and_the_soak_goes_on() -> None:
    agent = soaking()
    agent.tick(10)
    for _ in range(4):
        agent.tick(DEADLINE - 1, metrics_fresh=False)
        agent.tick()
    assert agent.state.weight_bp == 1_000
    assert agent.state.missing_s == 0.0
    assert run_of(agent.state).soaked_s == 9.0 + 4.0


def test_missing_metrics_lead_back_without_a_plan_too_after_fifteen_minutes() -> None:
    agent = Agent(step(RolloutState(), WeightAsked(weight_bp=3_000, revision=1, by="ana"), 1.0).state)
    assert agent.tick(899, metrics_fresh=False).weight_bp == 3_000
    assert agent.tick(1, metrics_fresh=False).latched


def test_missing_metrics_without_users_lead_nowhere() -> None:
    agent = Agent(RolloutState())
    assert agent.tick(2_000, metrics_fresh=False) == RolloutState()


def test_missing_metrics_and_no_control_page_and_move_nothing_until_there_is_one() -> None:
    agent = soaking()
    agent.tick(DEADLINE + 50, metrics_fresh=False, control_ready=False)
    assert agent.state.weight_bp == 1_000
    assert any("no control to go back to" in one.text for one in agent.alerts)
    assert agent.tick(1, metrics_fresh=False).latched


# Too few samples


def test_too_few_samples_hold_and_say_how_many_are_missing() -> None:
    agent = soaking()
    agent.tick(100, verdict="inconclusive", verdict_why="needs 12 more outputs of the control")
    assert agent.state.weight_bp == 1_000
    assert agent.alerts == []
    quiet = Agent(soaking().state, rate=0)
    assert quiet.tick(500).weight_bp == 1_000


# The control is bad or dead


def test_a_dead_control_pauses_pages_once_and_waits_for_a_person() -> None:
    agent = soaking()
    agent.tick(50, control_ready=False)
    assert agent.state.weight_bp == 1_000
    assert [one.level for one in agent.alerts] == ["fail"]
    assert "the control is not ready" in agent.alerts[0].text
    paused = run_of(agent.state).paused
    assert paused is not None
    assert paused.by == "quantdeck"
    assert agent.tick(100).weight_bp == 1_000
    agent.tick(1, control_ready=False)
    assert len(agent.alerts) == 2


def test_a_control_that_is_bad_pauses_and_pages_and_nothing_is_promoted_on_a_relative_win() -> None:
    agent = soaking()
    agent.tick(50, verdict="control-unhealthy", verdict_why="the control itself loops in 30.0% of its answers")
    assert agent.state.weight_bp == 1_000
    assert [one.level for one in agent.alerts] == ["fail"]
    assert "loops in 30.0%" in agent.alerts[0].text
    assert agent.tick(100).weight_bp == 1_000


@pytest.mark.parametrize(
    "event",
    [
        TreatmentFailed(reason="loops", control_ready=False),
        RollbackAsked(by="ana", reason="loops", control_ready=False),
        Tick(elapsed_s=1.0, gates=gates(verdict="breach", verdict_why="loops", control_ready=False)),
        Tick(elapsed_s=1.0, gates=gates(treatment_ready=False, control_ready=False)),
    ],
)
def test_nobody_goes_back_onto_a_dead_control_but_as_soon_as_it_lives(event: Any) -> None:
    agent = soaking(step_number=2)
    agent.do(event)
    assert (agent.state.weight_bp, agent.said[-1].kind) == (5_000, "pending")
    pending = agent.state.pending
    assert pending is not None
    # The verdict may look well again meanwhile: what was decided is carried out.
    agent.tick(50, control_ready=False)
    assert agent.state.weight_bp == 5_000
    assert len(agent.alerts) == 1
    agent.tick(1)
    assert (agent.state.stage, agent.state.weight_bp, agent.state.pending) == ("rollback", 0, None)
    assert (agent.state.by, agent.state.reason) == (pending.by, pending.reason)
    assert agent.state.began == pending.since < agent.state.since


def test_nothing_rises_while_a_rollback_waits_and_a_person_can_take_it_back() -> None:
    agent = soaking(step_number=2)
    agent.do(TreatmentFailed(reason="loops", control_ready=False))
    with pytest.raises(ConflictError, match="rollback waits for the control"):
        agent.do(WeightAsked(weight_bp=6_000, revision=agent.state.revision, by="ana", reason="x"))
    agent.do(LatchCleared(revision=agent.state.revision, by="ana", reason="false alarm"))
    assert (agent.state.weight_bp, agent.state.pending) == (5_000, None)
    assert agent.tick(100).weight_bp == 5_000


def test_a_rollback_that_waits_survives_a_kill() -> None:
    agent = soaking(step_number=2)
    agent.do(TreatmentFailed(reason="loops", control_ready=False))
    agent.state = msgspec.json.decode(msgspec.json.encode(agent.state), type=RolloutState)
    assert agent.tick(1).latched


# Both break an absolute threshold


def test_both_bad_moves_nothing_and_pages_also_without_a_plan() -> None:
    agent = Agent(step(RolloutState(), WeightAsked(weight_bp=3_000, revision=1, by="ana"), 1.0).state)
    agent.tick(50, verdict="control-unhealthy", verdict_why="both loop")
    assert agent.state.weight_bp == 3_000
    assert [one.level for one in agent.alerts] == ["fail"]
    assert "look upstream" in agent.alerts[0].text


# A step races a rollback


def test_a_step_that_races_a_rollback_loses_in_either_order() -> None:
    agent = soaking()
    agent.tick(19)
    about_to_rise = agent.state
    rise = Tick(elapsed_s=1.0, gates=gates(outputs=agent.outputs + 10))
    back = RollbackAsked(by="ana", reason="odd")
    assert step(about_to_rise, rise, 1.0).state.weight_bp == 1_000
    agent.tick(1)
    before = agent.state
    assert step(before, rise, 1.0).state.weight_bp == 5_000
    rose_first = step(step(before, rise, 1.0).state, back, 2.0).state
    fell_first = step(step(before, back, 1.0).state, rise, 2.0).state
    assert (rose_first.stage, rose_first.weight_bp) == (fell_first.stage, fell_first.weight_bp) == ("rollback", 0)
    by_hand = WeightAsked(weight_bp=5_000, revision=before.revision, by="bo", reason="up")
    with pytest.raises(ConflictError):
        step(step(before, back, 1.0).state, by_hand, 2.0)


# A freeze, and a step with no way back


def test_a_freeze_holds_everything_but_the_way_back() -> None:
    agent = soaking()
    assert agent.tick(100, frozen="bo: holidays").weight_bp == 1_000
    assert agent.tick(1, frozen="bo: holidays", verdict="breach", verdict_why="loops").latched


def test_a_step_without_a_way_back_is_warned_about_before_it_is_taken() -> None:
    agent = soaking()
    agent.tick(10, can_roll_back=False, roll_back_why="the control has no room")
    assert agent.alerts == []
    agent.tick(30, can_roll_back=False, roll_back_why="the control has no room")
    assert [one.text for one in agent.alerts] == [
        "the next step waits: nobody could be put back now, the control has no room"
    ]
    assert agent.tick().weight_bp == 5_000


def test_a_failed_canary_under_users_holds_and_pages_once() -> None:
    agent = soaking()
    agent.tick(60, canary="failed", canary_why="KL 0.4")
    assert agent.state.weight_bp == 1_000
    assert [one.level for one in agent.alerts] == ["fail"]
    assert "KL 0.4" in agent.alerts[0].text
