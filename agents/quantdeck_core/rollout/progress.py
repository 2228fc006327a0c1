"""How far a rollout is, for `quantdeck rollout status`."""

from __future__ import annotations

import msgspec

from quantdeck_core.rollout.events import Gates
from quantdeck_core.rollout.state import RolloutState


class RolloutProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One plan on its way.

    Attributes:
        phase: `waiting` for the first users, `soaking`, `paused`, `done`, `rolled-back`, or `pending`: a rollback waits
            for the control.
        step, steps: from 1.
        weight_bp: now; `next_bp` after this step, None after the last.
        soaked_s, soak_s: seconds of good behaviour at this step, and how many it takes.
        outputs, min_outputs: answers of the treatment at this step, and how many it takes.
        waits_for: one plain sentence each.
        left_s: seconds until the next step if all stays well, None where that cannot be said.
        skipped: why soaks were skipped.
    """

    name: str
    phase: str
    step: int
    steps: int
    weight_bp: int
    next_bp: int | None
    soaked_s: float
    soak_s: float
    outputs: int
    min_outputs: int
    waits_for: tuple[str, ...] = ()
    left_s: float | None = None
    skipped: tuple[str, ...] = ()


def progress(state: RolloutState, gates: Gates, now: float) -> RolloutProgress | None:
    """How far the plan is at a UNIX time; None where no plan runs."""
    run = state.run
    if run is None:
        return None
    following = run.plan.steps[run.step + 1].weight_bp if run.step + 1 < len(run.plan.steps) else None
    return RolloutProgress(
        name=run.plan.name,
        phase="soaking",
        step=run.step + 1,
        steps=len(run.plan.steps),
        weight_bp=state.weight_bp,
        next_bp=following,
        soaked_s=run.soaked_s,
        soak_s=run.current.soak_s,
        outputs=run.outputs,
        min_outputs=run.current.min_outputs,
    )
