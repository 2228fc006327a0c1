"""What can happen to a rollout, and what follows from it."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.drift.verdict import VerdictKind
from quantdeck_core.rollout.plan import RolloutPlan
from quantdeck_core.rollout.state import RolloutState

SYSTEM = "quantdeck"
"""Who it was where no person was."""
TICK_S = 1.0
"""Seconds between two ticks."""
MAX_ELAPSED_S = 5 * TICK_S
"""No tick counts for more: a process that was suspended, or a clock that jumped, shortens no soak and no deadline."""


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent knows at a tick. What it does not know must not stand here as good.

    Attributes:
        verdict, verdict_why: of the judge, now.
        outputs: answers of the treatment heard so far: a counter that rises; where it falls (the agent was restarted),
            counting goes on from there.
        metrics_fresh: answers and figures are heard; where it is False `metrics_why` says since when or what is NaN.
        slo_ok, errors_ok: the treatment keeps the plan's gate (`service.check_slo`, `service.check_errors`).
        canary: the fixed prompts; `not-required` only where none are configured and the plan asks for none.
        latency_profile: the treatment's latency was measured, and keeps the plan's objective; else `latency_why`.
        control_ready, treatment_ready: an engine of that arm is ready and probed.
        can_roll_back: everyone could be put back right now, else `roll_back_why` says what is missing.
        frozen: who froze this host or the fleet and why, empty where nothing is.
        serves: what the treatment serves (a digest of checkpoint, arguments and engine version); empty where unknown.
    """

    verdict: VerdictKind
    verdict_why: str = ""
    outputs: int
    metrics_fresh: bool
    metrics_why: str = ""
    slo_ok: bool
    slo_why: str = ""
    errors_ok: bool
    errors_why: str = ""
    canary: Literal["passed", "failed", "missing", "not-required"]
    canary_why: str = ""
    latency_profile: bool
    latency_why: str = ""
    control_ready: bool
    treatment_ready: bool
    can_roll_back: bool
    roll_back_why: str = ""
    frozen: str = ""
    serves: str = ""


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time went by.

    Attributes:
        elapsed_s: monotonic seconds since the last tick.
    """

    elapsed_s: float
    gates: Gates


class WeightAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A person sets the weight, based on a revision that they saw. A plan that runs is paused by it."""

    weight_bp: int
    revision: int
    by: str
    reason: str = ""


class RollbackAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A person presses rollback.

    Attributes:
        control_ready: whether there is a control to go back to; where not, the rollback waits for it.
        revision: what it was based on; None: it is right whatever happened since.
        began: UNIX time at which it was decided, where that was on another gateway or earlier; 0: now.
    """

    by: str
    reason: str
    control_ready: bool = True
    revision: int | None = None
    began: float = 0.0


class TreatmentFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A judge found a breach, or the treatment's engine is gone.

    Attributes:
        control_ready: whether there is a control to go back to; where not, the rollback waits for it.
    """

    reason: str
    control_ready: bool


class LatchCleared(msgspec.Struct, frozen=True, kw_only=True):
    """A person says why the treatment may have users again, or why a rollback that waits need not happen."""

    revision: int
    by: str
    reason: str


class RolloutStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A person starts a plan."""

    plan: RolloutPlan
    revision: int
    by: str
    reason: str = ""


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """A person stops the plan where it is. It needs no revision: it is always safe."""

    by: str
    reason: str = ""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """A person lets the plan go on."""

    revision: int
    by: str
    reason: str = ""


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """A person skips the rest of this step."""

    revision: int
    by: str
    reason: str
    gates: Gates


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """A person ends the plan: back to the control, without a latch since nothing is broken."""

    by: str
    reason: str
    control_ready: bool


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A person makes the treatment the new baseline, or discards it."""

    revision: int
    by: str
    reason: str = ""
    gates: Gates
    discard: bool = False


RolloutEvent = (
    WeightAsked
    | RollbackAsked
    | TreatmentFailed
    | LatchCleared
    | RolloutStarted
    | Paused
    | Resumed
    | Promoted
    | Aborted
    | Finished
    | Tick
)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a person: `warn`, or `fail` where it should wake one."""

    level: Literal["warn", "fail"]
    text: str


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """What an event leads to.

    Attributes:
        state: the new state; the old one where nothing changed. Its weight is what the gateway must be told.
        kind: for the timeline: `weight`, `rollback`, `pending`, `clear`, `rollout`, `finish`, `alarm`. Empty where
            there is nothing to tell: nothing changed, or a soak was counted on, which needs no line.
        text: what happened, for the timeline.
        by: who did it.
    """

    state: RolloutState
    kind: str = ""
    text: str = ""
    by: str = SYSTEM
    alert: Alert | None = None
