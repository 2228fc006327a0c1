"""The state machine of a rollout: pure, so that every order of events can be tried in a test."""

from __future__ import annotations

from quantdeck_core.rollout.automation import tick
from quantdeck_core.rollout.events import (
    SYSTEM,
    Aborted,
    Alert,
    Finished,
    LatchCleared,
    Paused,
    Promoted,
    Resumed,
    RollbackAsked,
    RolloutEvent,
    RolloutStarted,
    Tick,
    Transition,
    TreatmentFailed,
    WeightAsked,
)
from quantdeck_core.rollout.manual import abort, pause, resume, set_weight, start
from quantdeck_core.rollout.promote import finish, promote
from quantdeck_core.rollout.rollback import clear, rollback_asked, treatment_failed
from quantdeck_core.rollout.state import RolloutState

__all__ = [
    "SYSTEM",
    "Aborted",
    "Alert",
    "Finished",
    "LatchCleared",
    "Paused",
    "Promoted",
    "Resumed",
    "RollbackAsked",
    "RolloutEvent",
    "RolloutStarted",
    "Tick",
    "Transition",
    "TreatmentFailed",
    "WeightAsked",
    "step",
]


def step(state: RolloutState, event: RolloutEvent, now: float) -> Transition:
    """Apply one event at a UNIX time, which is used for stamps only.

    Raises:
        ConflictError: based on a stale revision, or not allowed where it stands.
        InputError: a plan that may not be carried out, or a reason that is missing.
    """
    match event:
        case WeightAsked():
            return set_weight(state, event, now)
        case RollbackAsked():
            return rollback_asked(state, event, now)
        case TreatmentFailed():
            return treatment_failed(state, event, now)
        case LatchCleared():
            return clear(state, event, now)
        case RolloutStarted():
            return start(state, event)
        case Paused():
            return pause(state, event)
        case Resumed():
            return resume(state, event)
        case Promoted():
            return promote(state, event, now)
        case Aborted():
            return abort(state, event, now)
        case Finished():
            return finish(state, event, now)
        case Tick():
            return tick(state, event, now)
