"""Up a step, and to the end."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import ConflictError
from quantdeck_core.hashing import BUCKETS, bp_to_percent
from quantdeck_core.rollout.blocks import entered, needs
from quantdeck_core.rollout.change import because, changed, check_open, check_reason, check_revision, moved, weighted
from quantdeck_core.rollout.events import Finished, Gates, Promoted, Transition
from quantdeck_core.rollout.state import RolloutRun, RolloutState


def advance(state: RolloutState, run: RolloutRun, by: str, reason: str, now: float) -> Transition:
    """Enter the run's step, or the one after it; after the last, the plan is done."""
    if not entered(state, run):
        return _enter(state, run, by, reason, now)
    if run.step + 1 < len(run.plan.steps):
        return _enter(state, msgspec.structs.replace(run, step=run.step + 1), by, reason, now)
    full = state.stage == "full_quant"
    after = "`quantdeck experiment finish` makes the treatment the baseline" if full else "set the weight by hand"
    return Transition(
        state=changed(state, run=msgspec.structs.replace(run, done=True)),
        kind="rollout",
        text=because(
            f"rollout {run.plan.name} has done its last step, at {bp_to_percent(state.weight_bp)} %; {after}", reason
        ),
        by=by,
    )


def _enter(state: RolloutState, run: RolloutRun, by: str, reason: str, now: float) -> Transition:
    weight = run.current.weight_bp
    return Transition(
        state=weighted(
            state, weight, by, reason, now, run=msgspec.structs.replace(run, soaked_s=0.0, outputs=0, outputs_seen=-1)
        ),
        kind="weight",
        text=because(
            f"{moved(state.weight_bp, weight)}, step {run.step + 1} of {len(run.plan.steps)} of {run.plan.name}", reason
        ),
        by=by,
    )


def promote(state: RolloutState, event: Promoted, now: float) -> Transition:
    """A person skips the rest of a step: of its soak, its outputs and its verdict, not of what keeps people safe.

    Raises:
        ConflictError: stale, no plan runs, nothing may rise, or it would not be safe.
        InputError: no reason was given.
    """
    check_revision(state, event.revision)
    check_open(state)
    run = state.run
    if run is None or run.done:
        raise ConflictError("No rollout waits for its next step.", "`quantdeck rollout status` shows what runs.")
    check_reason(event.reason, "Skipping the rest of a step")
    if run.paused:
        raise ConflictError(
            f"The rollout {run.plan.name} is paused by {run.paused.by}: {run.paused.reason}.",
            "Let it go on first with `quantdeck rollout resume`.",
        )
    _check_safe(state, run, event.gates)
    missing = ", ".join(needs(state, run))
    recorded = run.with_skip(event.by, because(f"promoted with {missing}" if missing else "promoted", event.reason))
    transition = advance(state, recorded, event.by, event.reason, now)
    skips = f" (skipped with {missing})" if missing else ""
    return msgspec.structs.replace(transition, text=f"promoted{skips}: {transition.text}")


def _check_safe(state: RolloutState, run: RolloutRun, gates: Gates) -> None:
    staged = state.weight_bp > 0
    for unsafe, why in (
        (gates.frozen, f"it is frozen: {gates.frozen}"),
        (gates.canary == "failed", f"the canary failed: {gates.canary_why or 'see its report'}"),
        (
            not staged and run.plan.gate.canary and gates.canary != "passed",
            "the canary has not passed, and no user has seen this treatment yet",
        ),
        (
            not staged and run.plan.gate.latency_profile and not gates.latency_profile,
            "its latency has not been measured, and no user has seen this treatment yet",
        ),
        (not gates.control_ready, "the control is not ready"),
        (not gates.treatment_ready, "the treatment is not ready"),
        (not gates.can_roll_back, f"nobody could be put back: {gates.roll_back_why or 'unknown'}"),
        (not gates.metrics_fresh, f"nothing is heard of it: {gates.metrics_why or 'no metrics'}"),
        (gates.verdict in ("breach", "control-unhealthy"), f"{gates.verdict}: {gates.verdict_why}"),
    ):
        if unsafe:
            raise ConflictError(
                f"The rollout {run.plan.name} cannot be promoted: {why}.",
                "Mend that first; no reason overrides it.",
            )


def finish(state: RolloutState, event: Finished, now: float) -> Transition:
    """The treatment becomes the new baseline: everyone is on it, the hold-back too, and the experiment ends. Or it is
    discarded, and the control stays what it is.

    Raises:
        ConflictError: stale, nothing may rise, not everyone is there yet, or the treatment is not healthy; where it is
            to be discarded: users are on it.
        InputError: it is discarded for no reason.
    """
    check_revision(state, event.revision)
    if event.discard:
        return _discard(state, event, now)
    check_open(state)
    _check_end(state, event.gates)
    return Transition(
        state=weighted(state, BUCKETS, event.by, event.reason, now, run=None, finished=True),
        kind="finish",
        text=because("finished: the treatment is the new baseline, the control can be retired", event.reason),
        by=event.by,
    )


def _discard(state: RolloutState, event: Finished, now: float) -> Transition:
    check_reason(event.reason, "Discarding a treatment")
    if state.finished:
        check_open(state)
    if state.weight_bp > 0:
        raise ConflictError(
            f"{bp_to_percent(state.weight_bp)} % of the users are on the treatment.",
            "Put them back first: `quantdeck weight EXPERIMENT 0`, or `quantdeck rollback`.",
        )
    return Transition(
        state=weighted(state, 0, event.by, event.reason, now, run=None, pending=None, paged=(), finished=True),
        kind="finish",
        text=because("ended: the treatment is discarded, the control stays the baseline", event.reason),
        by=event.by,
    )


def _check_end(state: RolloutState, gates: Gates) -> None:
    run, why = state.run, ""
    if state.stage != "full_quant":
        why = f"{bp_to_percent(state.weight_bp)} % are on the treatment, not everyone"
    elif run and not run.done:
        why = f"the rollout {run.plan.name} is still at its last step: {', '.join(needs(state, run)) or 'it goes on'}"
    elif gates.frozen:
        why = f"it is frozen: {gates.frozen}"
    elif not gates.treatment_ready:
        why = "the treatment is not ready"
    elif not gates.metrics_fresh:
        why = f"nothing is heard of it: {gates.metrics_why or 'no metrics'}"
    elif gates.verdict != "healthy":
        why = f"the verdict is {gates.verdict}: {gates.verdict_why}"
    elif gates.canary == "failed":
        why = f"the canary failed: {gates.canary_why or 'see its report'}"
    if why:
        raise ConflictError(
            f"The treatment cannot become the baseline yet: {why}.",
            "`quantdeck rollout status` shows what it waits for.",
        )
