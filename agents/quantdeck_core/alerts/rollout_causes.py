"""Which alarms a rollout's transition begins and ends.

Each cause has a key of its own, so that one does not hide behind another that somebody has acknowledged.
"""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.rollout.events import Transition
from quantdeck_core.rollout.state import CONTROL_BAD, CONTROL_DOWN, RolloutState

ROLLBACK, PENDING = "rollback", "pending"
_OVER = {
    CONTROL_DOWN: "the control is ready, or nobody needs it now",
    CONTROL_BAD: "the control is not judged bad any more",
    "canary": "no canary fails any more",
    "readiness": "no step waits for the way back any more",
    "metrics": "no figures are missing any more",
}


class Told(NamedTuple):
    """An alarm as `Hub.alarm` takes it; `key` is empty for what just happened and has no end."""

    level: str
    text: str
    key: str


def alarms_of(before: RolloutState, transition: Transition) -> tuple[Told, ...]:
    """What is to be raised, and what is over, first what is over.

    All of it follows from the two states, so that an agent that was started anew in between still ends what the one
    before it began.
    """
    after = transition.state
    over = [
        Told(
            "ok",
            transition.text if transition.kind in ("rollback", "clear") else _OVER.get(cause, transition.text),
            cause,
        )
        for cause in _causes(before)
        if cause not in _causes(after)
    ]
    if transition.alert is None:
        return tuple(over)
    return (*over, Told(transition.alert.level, transition.alert.text, _key(before, transition)))


def _key(before: RolloutState, transition: Transition) -> str:
    if transition.kind in (ROLLBACK, PENDING):
        return transition.kind
    new = [cause for cause in transition.state.paged if cause not in before.paged]
    return new[0] if new else ""


def _causes(state: RolloutState) -> tuple[str, ...]:
    """That were raised and hold. A rollback that waits for the control says itself that the control is not ready."""
    paged = tuple(one for one in state.paged if not (state.pending and one == CONTROL_DOWN))
    return (*((ROLLBACK,) if state.latched else ()), *((PENDING,) if state.pending else ()), *paged)
