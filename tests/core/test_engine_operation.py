"""Operations as lists of steps: in order, each ended once, one broken step at most."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.operation import cancelled, enter, fail, finish, steps_of
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.operation import Operation, OperationKind, StepName

KINDS: tuple[OperationKind, ...] = get_args(OperationKind)
NAMES: tuple[StepName, ...] = get_args(StepName)
ERROR = ErrorInfo(code="a", title="A", detail="b.", hint="c")


def operation(kind: OperationKind, **how: bool) -> Operation:
    return Operation(id="op-1", kind=kind, engine="e", by="a", at=0.0, steps=steps_of(kind, **how))


OPERATIONS = st.builds(
    lambda kind, external, starts, copies: operation(kind, external=external, starts=starts, copies=copies),
    st.sampled_from(KINDS), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
ENTERED = st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 10)), max_size=30)


@given(OPERATIONS, ENTERED, st.sampled_from(["finish", "fail", "cancelled", "goes on"]))
def test_steps_are_done_in_their_order_whatever_comes(
    it: Operation, entered: list[tuple[StepName, float]], end: str
) -> None:
    now = 0.0
    for name, after_s in entered:
        now += after_s
        before = it
        it = enter(it, name, now, "what goes on", 0.5)
        assert [step.name for step in it.steps] == [step.name for step in before.steps]
        for old, new in zip(before.steps, it.steps, strict=True):
            assert new == old or old.state != "done", "what is done stays as it is"
        states = [step.state for step in it.steps]
        assert "waiting" not in states[: _last(states, "done") + 1]
    match end:
        case "finish":
            it = finish(it, now)
            assert {step.state for step in it.steps} <= {"done"}
            assert (it.state, it.error) == ("done", None)
        case "fail" | "cancelled":
            open_before = [step.name for step in it.steps if step.state != "done"]
            it = (fail if end == "fail" else cancelled)(it, ERROR, now)
            failed = [step.name for step in it.steps if step.state == "failed"]
            assert failed == open_before[:1]
            assert (it.state, it.error) == ("failed" if end == "fail" else "cancelled", ERROR)
    if end != "goes on":
        assert it.ended == now
    for step in it.steps:
        if step.state == "done":
            assert step.began is not None
            assert step.ended is not None
            assert step.began <= step.ended
            assert (step.detail, step.fraction) == ("", None)


def _last(states: list[str], state: str) -> int:
    return max((index for index, one in enumerate(states) if one == state), default=-1)


def test_a_swap_ends_the_old_one_first_and_a_replacement_last() -> None:
    names = {kind: [step.name for step in operation(kind).steps] for kind in KINDS}
    assert names["swap"].index("stop") < names["swap"].index("room")
    assert names["replace"].index("route") < names["replace"].index("drain")
    assert names["restart"] == names["replace"]
    assert names["stop"] == ["drain", "stop"]
    assert names["deploy"] == names["recover"] == names["scale"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_started_for_an_engine_of_somebody_else(kind: OperationKind) -> None:
    names = {step.name for step in operation(kind, external=True).steps}
    assert not names & {"room", "start", "load"}


def test_a_step_that_is_entered_twice_keeps_its_beginning() -> None:
    it = enter(operation("deploy"), "load", 5.0, "10 %", 0.1)
    it = enter(it, "load", 9.0, "90 %", 0.9)
    assert it.current
    assert (it.current.began, it.current.detail, it.current.fraction) == (5.0, "90 %", 0.9)


def test_a_step_that_the_operation_has_not_changes_nothing() -> None:
    it = operation("stop")
    assert enter(it, "load", 1.0) == it
