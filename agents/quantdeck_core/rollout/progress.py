"""How far a rollout is, for `quantdeck rollout status`."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.durations import spoken
from quantdeck_core.rollout.blocks import blocks, entered, needs
from quantdeck_core.rollout.events import Gates
from quantdeck_core.rollout.state import RolloutRun, RolloutState

Phase = Literal["waiting", "soaking", "paused", "done", "rolled-back", "pending"]
MIN_RATE_S = 30.0
"""No rate of answers is told from less."""


class RolloutProgress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One plan on its way.

    Attributes:
        phase: `waiting` for the first users of a step, `soaking`, `paused`, `done`, `rolled-back`, or `pending`: a
            rollback waits for the control.
        step, steps: from 1.
        weight_bp: now; `next_bp` is where it goes from here, None after the last step.
        soaked_s, soak_s: seconds of good behaviour at this step, and how many it takes.
        outputs, min_outputs: answers of the treatment at this step, and how many it takes.
        waits_for: one plain sentence each, what is in the way first.
        left_s: seconds until it goes on if all stays well, None where that cannot be said.
        skipped: why less was done than the plan or the lesson asks for, and who said so.
    """

    name: str
    phase: Phase
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
    """How far the plan is at a UNIX time, in seconds; None where no plan runs."""
    run = state.run
    if run is None:
        return None
    held = () if run.done else tuple(one.text for one in blocks(state, run, gates))
    return RolloutProgress(
        name=run.plan.name,
        phase=_phase(state, run),
        step=run.step + 1,
        steps=len(run.plan.steps),
        weight_bp=state.weight_bp,
        next_bp=_next_bp(state, run),
        soaked_s=run.soaked_s,
        soak_s=run.current.soak_s,
        outputs=run.outputs,
        min_outputs=run.current.min_outputs,
        waits_for=(*_back(state, gates, now), *held, *(() if run.done else needs(state, run))),
        left_s=None if held or run.done else _left_s(state, run),
        skipped=run.skipped,
    )


def _phase(state: RolloutState, run: RolloutRun) -> Phase:
    if state.latched:
        return "rolled-back"
    if state.pending:
        return "pending"
    if run.paused:
        return "paused"
    if run.done:
        return "done"
    return "soaking" if entered(state, run) else "waiting"


def _next_bp(state: RolloutState, run: RolloutRun) -> int | None:
    if not entered(state, run):
        return run.current.weight_bp
    following = run.plan.steps[run.step + 1 :]
    return following[0].weight_bp if following else None


def _back(state: RolloutState, gates: Gates, now: float) -> tuple[str, ...]:
    """What leads back to the control, and when."""
    if state.pending:
        return (f"everyone goes back as soon as the control is ready, since {spoken(now - state.pending.since)}",)
    if gates.metrics_fresh or state.weight_bp == 0:
        return ()
    left = spoken(state.missing_deadline_s - state.missing_s)
    return (f"everyone goes back in {left} unless metrics return",)


def _left_s(state: RolloutState, run: RolloutRun) -> float | None:
    if not entered(state, run):
        return 0.0
    soak = max(0.0, run.current.soak_s - run.soaked_s)
    missing = run.current.min_outputs - run.outputs
    if missing <= 0:
        return soak
    if run.soaked_s < MIN_RATE_S or run.outputs == 0:
        return None
    return max(soak, missing * run.soaked_s / run.outputs)
