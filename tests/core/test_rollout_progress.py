"""What `rollout status` shows."""

from __future__ import annotations

import msgspec

from quantdeck_core.rollout.events import LatchCleared, Paused, RollbackAsked, TreatmentFailed
from quantdeck_core.rollout.progress import RolloutProgress, progress
from quantdeck_core.rollout.state import RolloutState
from support.rollouts import PLAN, Agent, gates, soaking, started


def shown(state: RolloutState, now: float = 0.0, **changes: object) -> RolloutProgress:
    """A run's progress with these gates."""
    found = progress(state, gates(**changes), now)
    assert found is not None
    return found


def test_without_a_plan_there_is_no_progress() -> None:
    assert progress(RolloutState(), gates(), 0.0) is None


def test_before_the_first_user() -> None:
    slow = shown(started(), latency_profile=False, latency_why="the treatment is too slow")
    assert slow.waits_for == ("the treatment is too slow",)
    found = shown(started(), canary="missing", latency_profile=False)
    assert (found.phase, found.step, found.steps, found.weight_bp, found.next_bp) == ("waiting", 1, 3, 0, 1_000)
    assert found.waits_for == (
        "the canary has not passed yet",
        "the latency of the treatment has not been measured yet",
    )
    assert found.left_s is None
    assert shown(started()).left_s == 0.0


def test_in_the_middle_of_a_step() -> None:
    agent = Agent(soaking().state, rate=1)
    agent.tick(6)
    found = shown(agent.state)
    assert found == RolloutProgress(
        name="int4-v1",
        phase="soaking",
        step=1,
        steps=3,
        weight_bp=1_000,
        next_bp=5_000,
        soaked_s=5.0,
        soak_s=20.0,
        outputs=5,
        min_outputs=40,
        waits_for=("5 s of 20 s soaked at 10 %", "5 of 40 answers heard"),
        left_s=None,
        skipped=("ana: compressed for a test",),
    )


def test_the_time_left_is_that_of_the_slower_of_soak_and_outputs() -> None:
    slow = msgspec.structs.replace(PLAN.steps[0], soak_s=100.0, min_outputs=200)
    agent = Agent(soaking(msgspec.structs.replace(PLAN, steps=(slow, *PLAN.steps[1:]))).state, rate=1)
    agent.tick(51)
    assert shown(agent.state).left_s == 150.0
    fast = soaking()
    fast.tick(11)
    assert shown(fast.state).left_s == 10.0


def test_what_holds_it_is_said_first_and_no_time_is_promised() -> None:
    agent = soaking()
    agent.tick(5)
    found = shown(agent.state, verdict="watch", verdict_why="refusals +6.0 points", frozen="bo: holidays")
    assert found.waits_for[:2] == ("frozen: bo: holidays", "watch: refusals +6.0 points")
    assert found.left_s is None


def test_paused_done_rolled_back_and_pending() -> None:
    agent = soaking()
    agent.do(Paused(by="ana", reason="lunch"))
    assert shown(agent.state).phase == "paused"
    assert shown(agent.state).waits_for[0] == "paused by ana: lunch"
    done = Agent(started())
    done.tick(60)
    assert (shown(done.state).phase, shown(done.state).waits_for, shown(done.state).next_bp) == ("done", (), None)
    done.do(RollbackAsked(by="ana", reason="odd"))
    assert shown(done.state).phase == "rolled-back"
    assert "rolled back: odd" in shown(done.state).waits_for[0]
    done.do(LatchCleared(revision=done.state.revision, by="ana", reason="mended"))
    assert (shown(done.state).phase, shown(done.state).next_bp, shown(done.state).steps) == ("waiting", 500, 4)


def test_a_rollback_that_waits_says_for_how_long_already() -> None:
    agent = soaking()
    agent.do(TreatmentFailed(reason="loops", control_ready=False))
    found = shown(agent.state, now=agent.now + 120.0, control_ready=False)
    assert found.phase == "pending"
    assert found.waits_for[0] == "everyone goes back as soon as the control is ready, since 2 min"


def test_missing_metrics_say_when_everyone_goes_back() -> None:
    agent = soaking()
    agent.tick(10, metrics_fresh=False)
    assert shown(agent.state, metrics_fresh=False).waits_for[:2] == (
        "everyone goes back in 20 s unless metrics return",
        "no metrics: nothing is heard",
    )
