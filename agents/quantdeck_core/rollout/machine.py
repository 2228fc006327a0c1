"""The state machine of a rollout: pure, so that every order of events can be tried in a test."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import ConflictError
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.state import RESTART_BP, RolloutState, Stage, stage_of


class WeightAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A person sets the weight, based on a revision that they saw."""

    weight_bp: int
    revision: int
    by: str
    reason: str = ""


class RollbackAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A person presses rollback."""

    by: str
    reason: str


class TreatmentFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A judge found a breach, or the treatment's engine is gone.

    Attributes:
        control_ready: whether there is a control to go back to.
    """

    reason: str
    control_ready: bool


class LatchCleared(msgspec.Struct, frozen=True, kw_only=True):
    """A person says why the treatment may have users again."""

    revision: int
    by: str
    reason: str


RolloutEvent = WeightAsked | RollbackAsked | TreatmentFailed | LatchCleared


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a person: `warn` or `fail`."""

    level: str
    text: str


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """What an event leads to.

    Attributes:
        state: the new state; the old one where nothing changed. Its weight is what the gateway must be told.
        kind: for the timeline, empty where nothing changed.
    """

    state: RolloutState
    kind: str = ""
    text: str = ""
    alert: Alert | None = None


SYSTEM = "quantdeck"


def step(state: RolloutState, event: RolloutEvent, now: float) -> Transition:
    """Apply one event at a UNIX time.

    Raises:
        ConflictError: based on a stale revision, or not allowed while latched.
    """
    match event:
        case WeightAsked():
            return _weight(state, event, now)
        case RollbackAsked():
            return _roll_back(state, event.by, event.reason, now)
        case TreatmentFailed():
            return _treatment_failed(state, event, now)
        case LatchCleared():
            return _clear(state, event, now)


def _weight(state: RolloutState, event: WeightAsked, now: float) -> Transition:
    _check_revision(state, event.revision)
    if state.latched and event.weight_bp > 0:
        raise ConflictError(
            f"The experiment is rolled back: {state.reason}.",
            "Say why it may go on with `quantdeck experiment clear NAME --reason ...`; it then starts again at 5 %.",
        )
    if state.latched or event.weight_bp == state.weight_bp:
        return Transition(state=state)
    text = f"weight {bp_to_percent(state.weight_bp)} % -> {bp_to_percent(event.weight_bp)} %"
    return Transition(
        state=_next(state, stage_of(event.weight_bp), event.weight_bp, event.by, event.reason, now),
        kind="weight",
        text=f"{text}: {event.reason}" if event.reason else text,
    )


def _roll_back(state: RolloutState, by: str, reason: str, now: float) -> Transition:
    if state.latched:
        return Transition(state=state)
    text = f"rolled back from {bp_to_percent(state.weight_bp)} %: {reason}"
    return Transition(
        state=msgspec.structs.replace(_next(state, "rollback", 0, by, reason, now), from_bp=state.weight_bp),
        kind="rollback",
        text=text,
        alert=Alert(level="fail", text=text),
    )


def _treatment_failed(state: RolloutState, event: TreatmentFailed, now: float) -> Transition:
    if state.latched or state.weight_bp == 0:
        return Transition(state=state)
    if not event.control_ready:
        text = f"{event.reason}; the control is not ready, so nothing was moved"
        return Transition(state=state, alert=Alert(level="fail", text=text))
    return _roll_back(state, SYSTEM, event.reason, now)


def _clear(state: RolloutState, event: LatchCleared, now: float) -> Transition:
    _check_revision(state, event.revision)
    if not state.latched:
        raise ConflictError("The experiment is not rolled back.", "There is nothing to clear.")
    return Transition(
        state=_next(state, stage_of(RESTART_BP), RESTART_BP, event.by, event.reason, now),
        kind="clear",
        text=f"rollback cleared, starting again at {bp_to_percent(RESTART_BP)} %: {event.reason}",
    )


def _check_revision(state: RolloutState, revision: int) -> None:
    if revision != state.revision:
        raise ConflictError(
            f"Somebody changed the experiment first: you saw revision {revision}, it is at {state.revision}.",
            "Look at it again and repeat the change if it is still right.",
        )


def _next(state: RolloutState, stage: Stage, weight_bp: int, by: str, reason: str, now: float) -> RolloutState:
    return RolloutState(stage=stage, weight_bp=weight_bp, revision=state.revision + 1, reason=reason, by=by, since=now)
