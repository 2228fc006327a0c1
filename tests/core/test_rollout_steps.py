"""A plan on its way: when it goes on, what holds it, and what people do to it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quantdeck_core.errors import ConflictError, InputError
from quantdeck_core.protocol.gateway import Shadow
from quantdeck_core.rollout.events import (
    Aborted,
    Finished,
    LatchCleared,
    Paused,
    Promoted,
    Resumed,
    RollbackAsked,
    RolloutStarted,
    WeightAsked,
)
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.plan import PlanGate, PlanStep
from quantdeck_core.rollout.service import ServiceFigures, check_errors, check_slo, numbers_missing
from quantdeck_core.rollout.state import RolloutState, wanted_shadow
from support.rollouts import PLAN, Agent, gates, run_of, soaking, started


def test_a_healthy_plan_goes_to_the_end_and_stops_at_the_hold_back() -> None:
    agent = Agent(started())
    agent.tick(60)
    assert list(agent.weights()) == [1_000, 5_000, 9_800]
    assert agent.state.stage == "full_quant"
    assert run_of(agent.state).done
    assert agent.alerts == []
    assert [one.text.split(",")[0] for one in agent.said] == [
        "weight 0 % -> 10 %",
        "weight 10 % -> 50 %",
        "weight 50 % -> 98 %",
        "rollout int4-v1 has done its last step",
    ]


def test_a_step_takes_its_soak_and_its_outputs() -> None:
    soaked = soaking()
    # The first tick of a step counts nothing: its second began before the step.
    assert soaked.tick(20).weight_bp == 1_000
    assert soaked.tick().weight_bp == 5_000
    heard = Agent(started(), rate=1)
    heard.tick(40)
    assert heard.state.weight_bp == 1_000
    heard.tick(2)
    assert heard.state.weight_bp == 5_000


ENTRY = [
    ("canary", {"canary": "missing"}),
    ("canary", {"canary": "failed", "canary_why": "KL 0.4"}),
    ("latency", {"latency_profile": False}),
    ("control", {"control_ready": False}),
    ("treatment", {"treatment_ready": False}),
    ("put back", {"can_roll_back": False, "roll_back_why": "the control has no room"}),
    ("frozen", {"frozen": "ana: holidays"}),
    ("metrics", {"metrics_fresh": False}),
    ("watch", {"verdict": "watch"}),
    ("breach", {"verdict": "breach"}),
]


@pytest.mark.parametrize("changes", [changes for _, changes in ENTRY])
def test_nobody_gets_a_treatment_before_the_gates_are_open(changes: dict[str, Any]) -> None:
    agent = Agent(started())
    assert agent.tick(50, **changes).weight_bp == 0
    assert agent.tick().weight_bp == 1_000


def test_before_the_first_user_there_is_no_verdict_to_wait_for() -> None:
    closed = {"verdict": "inconclusive", "slo_ok": False, "errors_ok": False}
    assert Agent(started()).tick(1, **closed).weight_bp == 1_000


def test_a_plan_may_do_without_canary_and_latency_profile() -> None:
    plan = msgspec.structs.replace(PLAN, gate=PlanGate(canary=False, latency_profile=False))
    agent = Agent(started(plan))
    assert agent.tick(1, canary="not-required", latency_profile=False).weight_bp == 1_000


@pytest.mark.parametrize(
    ("changes", "clock_runs"),
    [
        ({"verdict": "inconclusive"}, True),
        ({"frozen": "ana: holidays"}, True),
        ({"can_roll_back": False}, True),
        ({"canary": "missing"}, True),
        ({"canary": "failed"}, False),
        ({"verdict": "watch"}, False),
        ({"slo_ok": False}, False),
        ({"errors_ok": False}, False),
        ({"metrics_fresh": False}, False),
    ],
)
def test_what_holds_a_step_and_whether_its_clock_runs(changes: dict[str, Any], clock_runs: bool) -> None:
    agent = soaking()
    agent.tick(5)
    before = run_of(agent.state).soaked_s
    assert agent.tick(25, **changes).weight_bp == 1_000
    assert run_of(agent.state).soaked_s == (PLAN.steps[0].soak_s if clock_runs else before)
    agent.tick(1 if clock_runs else 16)
    assert agent.state.weight_bp == 5_000


def test_paused_it_stands_still_and_goes_on_from_there() -> None:
    agent = soaking()
    agent.tick(10)
    agent.do(Paused(by="ana", reason="lunch"))
    assert agent.tick(100).weight_bp == 1_000
    assert run_of(agent.state).soaked_s == 9.0
    agent.do(Resumed(revision=agent.state.revision, by="ana"))
    assert agent.tick(11).weight_bp == 1_000
    assert agent.tick().weight_bp == 5_000


def test_pausing_twice_is_once_and_without_a_plan_it_is_refused() -> None:
    agent = soaking()
    agent.do(Paused(by="ana", reason="lunch"))
    assert agent.do(Paused(by="bo", reason="too")).state == agent.state
    with pytest.raises(ConflictError, match="No rollout runs"):
        step(RolloutState(), Paused(by="ana"), 1.0)


def test_a_weight_by_hand_pauses_the_plan_and_says_so() -> None:
    agent = soaking(step_number=2)
    agent.tick(8)
    said = agent.do(WeightAsked(weight_bp=2_000, revision=agent.state.revision, by="ana", reason="slower"))
    assert said.text == "weight 50 % -> 20 %; the rollout int4-v1 is paused: slower"
    assert agent.tick(60).weight_bp == 2_000
    agent.do(Resumed(revision=agent.state.revision, by="ana"))
    # 20 % is more than the first step and less than the second: the first one's soak is owed at 20 %.
    assert run_of(agent.state).step == 0
    assert agent.tick(20).weight_bp == 2_000
    assert agent.tick().weight_bp == 5_000


def test_raising_past_a_plan_takes_a_reason_and_is_on_record() -> None:
    agent = soaking()
    with pytest.raises(InputError, match="takes a reason"):
        agent.do(WeightAsked(weight_bp=6_000, revision=agent.state.revision, by="ana"))
    agent.do(WeightAsked(weight_bp=6_000, revision=agent.state.revision, by="ana", reason="a demo"))
    assert run_of(agent.state).skipped[-1] == "ana: set to 60 % by hand: a demo"


def test_promoting_skips_the_rest_of_a_step_and_is_on_record() -> None:
    agent = soaking()
    agent.tick(5)
    said = agent.do(Promoted(revision=agent.state.revision, by="ana", reason="seen it", gates=gates()))
    assert agent.state.weight_bp == 5_000
    assert said.text.startswith("promoted (skipped with 4 s of 20 s soaked at 10 %)")
    assert "ana: promoted with 4 s of 20 s" in run_of(agent.state).skipped[-1]


@pytest.mark.parametrize(
    "changes",
    [
        {"canary": "failed"},
        {"can_roll_back": False},
        {"control_ready": False},
        {"treatment_ready": False},
        {"metrics_fresh": False},
        {"verdict": "breach"},
        {"verdict": "control-unhealthy"},
        {"frozen": "bo: holidays"},
    ],
)
def test_no_reason_promotes_what_is_not_safe(changes: dict[str, Any]) -> None:
    agent = soaking()
    with pytest.raises(ConflictError, match="cannot be promoted"):
        agent.do(Promoted(revision=agent.state.revision, by="ana", reason="hurry", gates=gates(**changes)))


@pytest.mark.parametrize("changes", [{"canary": "missing"}, {"latency_profile": False}])
def test_staging_cannot_be_promoted_past(changes: dict[str, Any]) -> None:
    state = started()
    with pytest.raises(ConflictError, match="no user has seen"):
        step(state, Promoted(revision=state.revision, by="ana", reason="hurry", gates=gates(**changes)), 2.0)


def test_promoting_takes_a_reason_a_plan_that_goes_and_the_present_revision() -> None:
    agent = soaking()
    revision = agent.state.revision
    with pytest.raises(InputError, match="takes a reason"):
        agent.do(Promoted(revision=revision, by="ana", reason=" ", gates=gates()))
    agent.do(Promoted(revision=revision, by="ana", reason="seen it", gates=gates()))
    with pytest.raises(ConflictError, match="changed the experiment first"):
        agent.do(Promoted(revision=revision, by="bo", reason="seen it too", gates=gates()))
    agent.do(Paused(by="bo"))
    with pytest.raises(ConflictError, match="paused by bo"):
        agent.do(Promoted(revision=agent.state.revision, by="ana", reason="seen it", gates=gates()))


def test_abort_leads_back_without_a_latch() -> None:
    agent = soaking(step_number=2)
    with pytest.raises(InputError, match="takes a reason"):
        agent.do(Aborted(by="ana", reason="", control_ready=True))
    with pytest.raises(ConflictError, match="control is not ready"):
        agent.do(Aborted(by="ana", reason="later", control_ready=False))
    agent.do(Aborted(by="ana", reason="later", control_ready=True))
    assert (agent.state.weight_bp, agent.state.stage, agent.state.run) == (0, "fp16_only", None)


def test_aborting_what_is_rolled_back_keeps_the_latch_and_its_reason() -> None:
    agent = soaking(step_number=2)
    agent.do(RollbackAsked(by="ana", reason="odd"))
    agent.do(Aborted(by="ana", reason="later", control_ready=False))
    assert (agent.state.latched, agent.state.run, agent.state.reason, agent.state.from_bp) == (True, None, "odd", 5_000)


def test_one_plan_at_a_time_and_none_from_above_its_start() -> None:
    agent = soaking()
    with pytest.raises(ConflictError, match="on its way already"):
        agent.do(RolloutStarted(plan=PLAN, revision=agent.state.revision, by="bo"))
    high = step(RolloutState(), WeightAsked(weight_bp=3_000, revision=1, by="ana"), 1.0).state
    with pytest.raises(ConflictError, match="30 % are on the treatment"):
        step(high, RolloutStarted(plan=PLAN, revision=high.revision, by="ana"), 2.0)


def test_a_plan_that_skips_the_lessons_day_is_refused_also_over_the_wire() -> None:
    plan = msgspec.structs.replace(PLAN, skip_soak_reason="")
    with pytest.raises(InputError, match="above 10 %"):
        started(plan)
    assert run_of(started()).skipped == ("ana: compressed for a test",)


def test_after_a_rollback_the_plan_starts_again_at_five_percent_through_its_gates() -> None:
    agent = soaking(step_number=2)
    agent.tick(1, verdict="breach", verdict_why="loops")
    assert (agent.state.stage, agent.state.weight_bp, agent.state.from_bp) == ("rollback", 0, 5_000)
    assert agent.tick(100).latched
    agent.do(LatchCleared(revision=agent.state.revision, by="ana", reason="new checkpoint"))
    assert agent.tick(5, canary="missing").weight_bp == 0
    agent.tick(90)
    assert list(agent.weights()) == [1_000, 5_000, 0, 500, 1_000, 5_000, 9_800]


def test_another_model_behind_the_treatment_begins_the_step_anew_and_waits_for_a_person() -> None:
    agent = soaking()
    agent.tick(15, serves="a")
    agent.tick(1, serves="b")
    run = run_of(agent.state)
    assert (run.soaked_s, run.outputs) == (0.0, 0)
    assert run.paused is not None
    assert "something else" in agent.said[-1].text
    assert agent.tick(60, serves="b").weight_bp == 1_000
    # A third one while it is paused must not bring the old soak back.
    agent.do(Resumed(revision=agent.state.revision, by="ana"))
    agent.tick(10, serves="b")
    agent.do(Paused(by="ana"))
    agent.tick(1, serves="c")
    assert run_of(agent.state).soaked_s == 0.0


def test_finish_makes_the_treatment_the_baseline() -> None:
    agent = Agent(started())
    agent.tick(60)
    agent.do(Finished(revision=agent.state.revision, by="ana", gates=gates()))
    assert (agent.state.finished, agent.state.weight_bp, agent.state.run) == (True, 10_000, None)
    with pytest.raises(ConflictError, match="is finished"):
        agent.do(WeightAsked(weight_bp=0, revision=agent.state.revision, by="ana"))
    assert agent.tick(100, verdict="breach").finished


def test_a_treatment_without_users_can_be_discarded_for_a_reason_also_after_a_rollback() -> None:
    agent = Agent(started())
    agent.tick(60)

    def discard(reason: str) -> None:
        agent.do(Finished(revision=agent.state.revision, by="ana", reason=reason, gates=gates(), discard=True))

    with pytest.raises(InputError):
        discard("")
    with pytest.raises(ConflictError, match="of the users are on the treatment"):
        discard("loops")
    agent.do(RollbackAsked(by="bo", reason="stop"))
    discard("loops")
    assert (agent.state.finished, agent.state.weight_bp, agent.state.latched) == (True, 0, False)
    with pytest.raises(ConflictError, match="is finished"):
        discard("once more")


def test_a_rollback_still_wins_over_a_finish_that_nobody_has_carried_out() -> None:
    agent = Agent(started())
    agent.tick(60)
    agent.do(Finished(revision=agent.state.revision, by="ana", gates=gates()))
    agent.do(RollbackAsked(by="bo", reason="stop"))
    assert (agent.state.latched, agent.state.finished) == (True, False)


def test_a_rollback_that_waits_takes_the_finish_back_too() -> None:
    agent = Agent(started())
    agent.tick(60)
    agent.do(Finished(revision=agent.state.revision, by="ana", gates=gates()))
    agent.do(RollbackAsked(by="bo", reason="stop", control_ready=False))
    assert (agent.state.weight_bp, agent.state.finished) == (10_000, False)
    assert agent.tick().latched


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"verdict": "inconclusive", "verdict_why": "needs 12 more"}, "needs 12 more"),
        ({"verdict": "watch"}, "watch"),
        ({"metrics_fresh": False}, "nothing is heard"),
        ({"treatment_ready": False}, "not ready"),
        ({"canary": "failed"}, "canary"),
        ({"frozen": "bo: holidays"}, "holidays"),
    ],
)
def test_finish_takes_a_healthy_treatment(changes: dict[str, Any], why: str) -> None:
    agent = Agent(started())
    agent.tick(60)
    with pytest.raises(ConflictError, match=why):
        agent.do(Finished(revision=agent.state.revision, by="ana", gates=gates(**changes)))


def test_finish_takes_everyone() -> None:
    agent = soaking(step_number=3)
    with pytest.raises(ConflictError, match="last step"):
        agent.do(Finished(revision=agent.state.revision, by="ana", gates=gates()))
    with pytest.raises(ConflictError, match="not everyone"):
        step(RolloutState(), Finished(revision=1, by="ana", gates=gates()), 1.0)


def test_without_a_hold_back_the_treatments_requests_are_shadowed_to_the_control() -> None:
    steps = (*PLAN.steps[:2], PlanStep(weight_bp=10_000, soak_s=10.0))
    agent = Agent(started(msgspec.structs.replace(PLAN, steps=steps, hold_back_bp=0, shadow_bp=300)))
    assert wanted_shadow(agent.tick(30)) is None
    agent.tick(20)
    assert agent.state.weight_bp == 10_000
    assert wanted_shadow(agent.state) == Shadow(of="treatment", share_bp=300)
    with_hold_back = Agent(started())
    assert wanted_shadow(with_hold_back.tick(60)) is None


def test_the_service_level_is_kept_measured_and_a_number() -> None:
    gate = PlanGate(ttft_p95_ms=400.0, error_rate=0.01)
    assert check_slo(gate, ServiceFigures(ttft_p95_ms=400.0)) == (True, "")
    for value in (None, float("nan"), 401.0):
        ok, why = check_slo(gate, ServiceFigures(ttft_p95_ms=value))
        assert not ok
        assert "limit is 400 ms" in why
    assert check_slo(PlanGate(), ServiceFigures()) == (True, "")
    assert check_errors(gate, ServiceFigures(error_rate=0.01)) == (True, "")
    assert check_errors(gate, ServiceFigures()) == (True, "")
    assert check_errors(gate, ServiceFigures(error_rate=0.011)) == (
        False,
        "1.1% of the answers failed, the limit is 1.0%",
    )
    assert not check_errors(gate, ServiceFigures(error_rate=float("nan")))[0]
    assert numbers_missing(ServiceFigures(e2e_p95_ms=float("nan"))) == "e2e_p95_ms is nan"
    assert numbers_missing(ServiceFigures(e2e_p95_ms=3.0)) == ""


def test_records_of_before_there_were_plans_still_decode() -> None:
    old = b'{"stage":"gradual","weight_bp":5000,"from_bp":0,"revision":7,"reason":"r","by":"a","since":1.0}'
    state = msgspec.json.decode(old, type=RolloutState)
    assert state == RolloutState(stage="gradual", weight_bp=5_000, revision=7, reason="r", by="a", since=1.0)


def test_all_of_a_run_is_persisted() -> None:
    agent = soaking()
    agent.tick(5, serves="a")
    agent.do(Paused(by="ana", reason="lunch"))
    assert msgspec.json.decode(msgspec.json.encode(agent.state), type=RolloutState) == agent.state
