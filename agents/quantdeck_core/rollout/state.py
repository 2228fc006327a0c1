"""The states of a rollout. All of it is persisted, and records of older versions still decode."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.gateway import Shadow
from quantdeck_core.rollout.plan import AB_TEST_MAX_BP, MISSING_DEADLINE_S, RESTART_BP, PlanStep, RolloutPlan

__all__ = [
    "AB_TEST_MAX_BP",
    "CONTROL_BAD",
    "CONTROL_DOWN",
    "RESTART_BP",
    "Pause",
    "PendingRollback",
    "RolloutRun",
    "RolloutState",
    "Stage",
    "stage_of",
    "wanted_shadow",
]

Stage = Literal["fp16_only", "ab_test", "gradual", "full_quant", "rollback"]

CONTROL_DOWN = "control"
"""In `RolloutState.paged`: the control is not ready."""
CONTROL_BAD = "upstream"
"""In `RolloutState.paged`: the control itself answers badly."""


class Pause(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Somebody, or `quantdeck`, stopped the plan; a person resumes it."""

    by: str
    reason: str


class PendingRollback(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A rollback that waits for a control to go back to.

    Attributes:
        since: UNIX time of the decision.
        began: as in `RolloutState`.
    """

    by: str
    reason: str
    since: float
    began: float = 0.0


class RolloutRun(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A plan that is being carried out.

    Attributes:
        by: who started it.
        step: index into the plan's steps, of the step that is soaking or about to be entered.
        soaked_s: seconds of good behaviour at this step's weight, counted from monotonic time only.
        outputs: answers of the treatment at this step's weight.
        outputs_seen: the agent's counter of answers at the last tick; -1 before this step's first tick, which counts
            neither time nor answers, since they are of before.
        serves: what the treatment serves; another model begins the step anew.
        paused: who stopped it and why, None where it goes on.
        done: the last step has soaked.
        skipped: reasons of people who skipped a soak, oldest first.
    """

    plan: RolloutPlan
    by: str
    step: int = 0
    soaked_s: float = 0.0
    outputs: int = 0
    outputs_seen: int = -1
    serves: str = ""
    paused: Pause | None = None
    done: bool = False
    skipped: tuple[str, ...] = ()

    @property
    def current(self) -> PlanStep:
        """The step that is soaking or about to be entered."""
        return self.plan.steps[self.step]

    def with_skip(self, by: str, reason: str) -> RolloutRun:
        """The run with one more reason on record for less than the plan asks for; the last 20 are kept."""
        return msgspec.structs.replace(self, skipped=(*self.skipped, f"{by}: {reason}")[-20:])


class RolloutState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where a rollout stands.

    Attributes:
        weight_bp: basis points of users on the treatment.
        from_bp: the weight before a rollback, 0 otherwise.
        revision: rises with every change that a person could have based theirs on; not with a soak that is counted on.
        reason: why it stands there; for `rollback` what broke.
        by: the person, or `quantdeck`.
        since: UNIX time of the last change, seconds.
        began: of a rollback, when it was first decided, by this host's clock, be it on another gateway or before the
            control was ready; 0 otherwise.
        cleared: UNIX time at which somebody last cleared a rollback or took one back that waited, 0 for never. No
            rollback that began before undoes it.
        run: the plan that is carried out, None without one. There is never more than this one.
        missing_s: seconds for which metrics have been missing while users were on the treatment.
        pending: a rollback that waits for the control.
        paged: causes that a person was told of and that hold still: once a cause is enough.
        finished: the treatment is the new baseline; the agent retires the control and ends the experiment.
    """

    stage: Stage = "fp16_only"
    weight_bp: int = 0
    from_bp: int = 0
    revision: int = 1
    reason: str = ""
    by: str = ""
    since: float = 0.0
    began: float = 0.0
    cleared: float = 0.0
    run: RolloutRun | None = None
    missing_s: float = 0.0
    pending: PendingRollback | None = None
    paged: tuple[str, ...] = ()
    finished: bool = False

    @property
    def latched(self) -> bool:
        """Rolled back: the weight stays 0 until somebody says why it may rise again."""
        return self.stage == "rollback"

    @property
    def missing_deadline_s(self) -> float:
        """Seconds without metrics after which everyone goes back."""
        return self.run.plan.missing_deadline_s if self.run else MISSING_DEADLINE_S


def stage_of(weight_bp: int, hold_back_bp: int = 0) -> Stage:
    """The stage that a weight means while nothing is rolled back. With a hold-back, `full_quant` is all the others."""
    if weight_bp == 0:
        return "fp16_only"
    if weight_bp <= AB_TEST_MAX_BP:
        return "ab_test"
    return "full_quant" if weight_bp >= BUCKETS - hold_back_bp else "gradual"


def wanted_shadow(state: RolloutState) -> Shadow | None:
    """The copies that keep a control to compare with where nobody is held back on it; None where none are needed."""
    run = state.run
    if run is None or run.plan.hold_back_bp or not run.plan.shadow_bp or state.stage != "full_quant" or state.finished:
        return None
    return Shadow(of="treatment", share_bp=run.plan.shadow_bp)
