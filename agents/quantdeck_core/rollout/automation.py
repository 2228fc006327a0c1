"""What a tick does: it guards whoever has users, counts the soak, and takes the next step when all gates are open."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from quantdeck_core.durations import spoken
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.blocks import blocks, entered, needs
from quantdeck_core.rollout.change import changed, with_run
from quantdeck_core.rollout.events import MAX_ELAPSED_S, SYSTEM, Alert, Gates, Tick, Transition
from quantdeck_core.rollout.pages import page
from quantdeck_core.rollout.promote import advance
from quantdeck_core.rollout.rollback import roll_back, wait_for_control
from quantdeck_core.rollout.state import CONTROL_BAD, CONTROL_DOWN, Pause, RolloutRun, RolloutState


def counted(elapsed_s: float) -> float:
    """Seconds of a tick that count: never negative, never more than `MAX_ELAPSED_S`, 0 for what is no number."""
    return min(max(elapsed_s, 0.0), MAX_ELAPSED_S) if math.isfinite(elapsed_s) else 0.0


def tick(state: RolloutState, event: Tick, now: float) -> Transition:
    """One tick. A freeze and a pause hold everything here but the way back."""
    if state.latched or state.finished:
        return Transition(state=state)
    gates, elapsed_s = event.gates, counted(event.elapsed_s)
    back = _back(state, gates, now)
    if back:
        return back
    state = _count_missing(state, gates, elapsed_s)
    if gates.control_ready and state.missing_s >= state.missing_deadline_s:
        why = f"no metrics for {spoken(state.missing_s)}: {gates.metrics_why or 'nothing was heard'}"
        return roll_back(state, SYSTEM, why, now)
    stopped = _stop_plan(state, gates)
    if stopped:
        return stopped
    run = state.run
    if run and not run.done:
        run = _count(state, run, gates, elapsed_s)
        state = with_run(state, run)
        if not blocks(state, run, gates) and not needs(state, run):
            return advance(state, run, SYSTEM, _why(state, run), now)
    return page(state, gates)


def _back(state: RolloutState, gates: Gates, now: float) -> Transition | None:
    """The way back, where it is to be taken now."""
    if state.pending and gates.control_ready:
        return roll_back(state, state.pending.by, state.pending.reason, now, state.pending.began)
    if state.weight_bp == 0 or state.pending:
        return None
    reason = ""
    if not gates.treatment_ready:
        reason = "the treatment is not ready"
    elif gates.verdict == "breach":
        reason = gates.verdict_why or "breach"
    if not reason:
        return None
    if gates.control_ready:
        return roll_back(state, SYSTEM, reason, now)
    return wait_for_control(state, SYSTEM, reason, now)


def _count_missing(state: RolloutState, gates: Gates, elapsed_s: float) -> RolloutState:
    missing_s = 0.0 if gates.metrics_fresh or state.weight_bp == 0 else state.missing_s + elapsed_s
    return state if missing_s == state.missing_s else msgspec.structs.replace(state, missing_s=missing_s)


def _stop_plan(state: RolloutState, gates: Gates) -> Transition | None:
    """Pause a plan whose comparison is worth nothing any more; a person resumes it."""
    run = state.run
    if run is None or not entered(state, run):
        return None
    if gates.serves and run.serves and gates.serves != run.serves:
        anew = msgspec.structs.replace(run, soaked_s=0.0, outputs=0, outputs_seen=-1, serves=gates.serves, done=False)
        why = "the treatment serves something else than before, so this step begins anew"
        return _paused(state, anew, why, "", "warn")
    if run.paused or run.done or state.pending:
        return None
    if not gates.control_ready:
        return _paused(state, run, "the control is not ready", CONTROL_DOWN, "fail")
    if gates.verdict == "control-unhealthy":
        why = gates.verdict_why or "the control itself is unhealthy"
        return _paused(state, run, why, CONTROL_BAD, "fail")
    return None


def _paused(state: RolloutState, run: RolloutRun, why: str, cause: str, level: Literal["warn", "fail"]) -> Transition:
    text = f"rollout {run.plan.name} paused at {bp_to_percent(state.weight_bp)} %, the weight stays: {why}"
    told = tuple(dict.fromkeys((*state.paged, cause))) if cause else state.paged
    pause = run.paused or Pause(by=SYSTEM, reason=why)
    return Transition(
        state=changed(state, run=msgspec.structs.replace(run, paused=pause), paged=told),
        kind="rollout",
        text=text,
        alert=Alert(level=level, text=text),
    )


def _count(state: RolloutState, run: RolloutRun, gates: Gates, elapsed_s: float) -> RolloutRun:
    """The run after this tick's seconds and answers, as far as they count for its step."""
    looked = msgspec.structs.replace(run, outputs_seen=gates.outputs, serves=gates.serves or run.serves)
    if not entered(state, run) or run.outputs_seen < 0:
        return looked
    soaked_s = run.soaked_s
    if not any(block.stops_soak for block in blocks(state, run, gates)):
        soaked_s = min(soaked_s + elapsed_s, max(run.current.soak_s, soaked_s))
    fresh = max(0, gates.outputs - run.outputs_seen)
    return msgspec.structs.replace(looked, soaked_s=soaked_s, outputs=run.outputs + fresh)


def _why(state: RolloutState, run: RolloutRun) -> str:
    if not entered(state, run):
        return "all gates are open"
    return f"healthy for {spoken(run.soaked_s)}, {run.outputs:,} answers"
