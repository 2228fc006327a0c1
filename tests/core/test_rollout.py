import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.errors import ConflictError
from quantdeck_core.rollout.machine import (
    LatchCleared,
    RollbackAsked,
    RolloutEvent,
    TreatmentFailed,
    WeightAsked,
    step,
)
from quantdeck_core.rollout.state import RolloutState, stage_of

START = RolloutState()


def at(weight_bp: int) -> RolloutState:
    return step(START, WeightAsked(weight_bp=weight_bp, revision=1, by="a"), 1.0).state


@pytest.mark.parametrize(
    ("weight_bp", "stage"),
    [(0, "fp16_only"), (1, "ab_test"), (1000, "ab_test"), (1001, "gradual"), (9999, "gradual"), (10000, "full_quant")],
)
def test_stages_are_the_lessons(weight_bp: int, stage: str) -> None:
    assert stage_of(weight_bp) == stage


def test_a_breach_takes_everyone_back_and_latches() -> None:
    transition = step(at(5000), TreatmentFailed(reason="loops", control_ready=True), 9.0)
    assert (transition.state.stage, transition.state.weight_bp, transition.state.by) == ("rollback", 0, "quantdeck")
    assert transition.state.since == 9.0
    assert transition.alert is not None


def test_nobody_is_rolled_back_onto_a_dead_control() -> None:
    transition = step(at(5000), TreatmentFailed(reason="loops", control_ready=False), 9.0)
    assert (transition.state.weight_bp, transition.state.stage) == (5000, "gradual")
    assert transition.state.pending is not None
    assert transition.alert is not None
    assert "control" in transition.alert.text


def test_a_treatment_without_users_cannot_fail_them() -> None:
    assert step(START, TreatmentFailed(reason="gone", control_ready=True), 9.0).state == START


def test_a_stale_change_is_refused() -> None:
    with pytest.raises(ConflictError, match="revision 1"):
        step(at(1000), WeightAsked(weight_bp=2000, revision=1, by="b"), 2.0)


def test_after_a_rollback_only_clearing_helps_and_it_starts_at_five_percent() -> None:
    rolled_back = step(at(5000), RollbackAsked(by="a", reason="odd"), 2.0).state
    with pytest.raises(ConflictError, match="rolled back"):
        step(rolled_back, WeightAsked(weight_bp=100, revision=rolled_back.revision, by="a"), 3.0)
    cleared = step(rolled_back, LatchCleared(revision=rolled_back.revision, by="a", reason="mended"), 4.0).state
    assert (cleared.stage, cleared.weight_bp) == ("ab_test", 500)


def test_clearing_what_is_not_latched_is_refused() -> None:
    with pytest.raises(ConflictError, match="not rolled back"):
        step(START, LatchCleared(revision=1, by="a", reason="x"), 1.0)


def test_rolling_back_twice_changes_nothing() -> None:
    once = step(at(5000), RollbackAsked(by="a", reason="odd"), 2.0).state
    again = step(once, RollbackAsked(by="b", reason="odd too"), 3.0)
    assert again.state == once
    assert again.alert is None


EVENTS = st.one_of(
    st.builds(WeightAsked, weight_bp=st.integers(0, 10_000), revision=st.integers(1, 8), by=st.just("a")),
    st.builds(RollbackAsked, by=st.just("a"), reason=st.just("r")),
    st.builds(TreatmentFailed, reason=st.just("r"), control_ready=st.booleans()),
    st.builds(LatchCleared, revision=st.integers(1, 8), by=st.just("a"), reason=st.just("r")),
)


@given(st.lists(EVENTS, max_size=30))
def test_in_any_order_a_latch_holds_the_weight_at_zero(events: list[RolloutEvent]) -> None:
    state = START
    for now, event in enumerate(events):
        try:
            after = step(state, event, float(now)).state
        except ConflictError:
            continue
        if state.latched and after != state:
            assert isinstance(event, LatchCleared)
        assert after.weight_bp == 0 or not after.latched
        assert after.latched or after.stage == stage_of(after.weight_bp)
        assert after.revision == state.revision + (after != state)
        state = after
