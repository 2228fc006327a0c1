"""What people do to the weight and to a plan."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import ConflictError
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.change import (
    because,
    changed,
    check_open,
    check_reason,
    check_revision,
    moved,
    weighted,
)
from quantdeck_core.rollout.events import Aborted, Paused, Resumed, RolloutStarted, Transition, WeightAsked
from quantdeck_core.rollout.plan import check_plan, skips_floor
from quantdeck_core.rollout.state import Pause, RolloutRun, RolloutState


def set_weight(state: RolloutState, event: WeightAsked, now: float) -> Transition:
    """Set the weight by hand; a plan that runs is paused, since it would undo it.

    Raises:
        ConflictError: stale, or it would rise where nothing may.
        InputError: it rises past a plan, and no reason was given.
    """
    check_revision(state, event.revision)
    if event.weight_bp > state.weight_bp or state.finished:
        check_open(state)
    if state.latched or event.weight_bp == state.weight_bp:
        return Transition(state=state)
    run, paused = state.run, ""
    if run:
        by_hand = because(f"set to {bp_to_percent(event.weight_bp)} % by hand", event.reason)
        if event.weight_bp > state.weight_bp:
            check_reason(event.reason, f"Raising the weight past the rollout {run.plan.name}")
            run = run.with_skip(event.by, by_hand)
        run = _at_weight(run, event.weight_bp, Pause(by=event.by, reason=by_hand))
        paused = f"; the rollout {run.plan.name} is paused"
    return Transition(
        state=weighted(state, event.weight_bp, event.by, event.reason, now, run=run),
        kind="weight",
        text=because(f"{moved(state.weight_bp, event.weight_bp)}{paused}", event.reason),
        by=event.by,
    )


def start(state: RolloutState, event: RolloutStarted) -> Transition:
    """Begin a plan. The next tick gives the treatment its first users, if the gates are open.

    Raises:
        ConflictError: stale, another plan runs, nothing may rise, or more users are on the treatment than at its start.
        InputError: the plan may not be carried out.
    """
    check_revision(state, event.revision)
    check_open(state)
    check_plan(event.plan)
    if state.run and not state.run.done:
        raise ConflictError(
            f"The rollout {state.run.plan.name} is on its way already.",
            "Look at it with `quantdeck rollout status`; end it with `quantdeck rollout abort`.",
        )
    plan = event.plan
    first = plan.steps[0].weight_bp
    if state.weight_bp > first:
        raise ConflictError(
            f"{bp_to_percent(state.weight_bp)} % are on the treatment, and {plan.name} begins at "
            f"{bp_to_percent(first)} %.",
            f"Set the weight to at most {bp_to_percent(first)} % first.",
        )
    text = f"rollout {plan.name} started: " + ", ".join(f"{bp_to_percent(one.weight_bp)} %" for one in plan.steps)
    run = RolloutRun(plan=plan, by=event.by)
    if skips_floor(plan):
        run = run.with_skip(event.by, plan.skip_soak_reason)
        text += f"; without the 24 hours of A/B test, because: {plan.skip_soak_reason}"
    return Transition(
        state=changed(state, run=run),
        kind="rollout",
        text=because(text, event.reason),
        by=event.by,
    )


def pause(state: RolloutState, event: Paused) -> Transition:
    """Stop the plan where it is; the weight stays.

    Raises:
        ConflictError: no plan runs, or it is rolled back.
    """
    run = _running(state)
    if run.paused:
        return Transition(state=state)
    if state.latched:
        check_open(state)
    paused = msgspec.structs.replace(run, paused=Pause(by=event.by, reason=event.reason))
    return Transition(
        state=changed(state, run=paused),
        kind="rollout",
        text=because(f"rollout {run.plan.name} paused at {bp_to_percent(state.weight_bp)} %", event.reason),
        by=event.by,
    )


def resume(state: RolloutState, event: Resumed) -> Transition:
    """Let the plan go on from the weight that is there.

    Raises:
        ConflictError: stale, no plan runs, or nothing may rise.
    """
    check_revision(state, event.revision)
    run = _running(state)
    check_open(state)
    if not run.paused:
        return Transition(state=state)
    return Transition(
        state=changed(state, run=msgspec.structs.replace(run, paused=None, outputs_seen=-1)),
        kind="rollout",
        text=because(f"rollout {run.plan.name} goes on at {bp_to_percent(state.weight_bp)} %", event.reason),
        by=event.by,
    )


def abort(state: RolloutState, event: Aborted, now: float) -> Transition:
    """End the plan: everyone back to the control. A latch stays, but none is made, since nothing is broken.

    Raises:
        ConflictError: no plan runs, or there is no control to go back to.
        InputError: no reason was given.
    """
    run = _running(state)
    check_reason(event.reason, "Aborting a rollout")
    text = f"rollout {run.plan.name} aborted"
    if state.latched or state.weight_bp == 0:
        after = changed(state, run=None)
    elif not event.control_ready:
        raise ConflictError(
            "The control is not ready: everyone who goes back to it would get errors.",
            "Start the control first; `quantdeck rollout pause` keeps the weight where it is meanwhile.",
        )
    else:
        text = f"{text}, {moved(state.weight_bp, 0)}"
        after = weighted(state, 0, event.by, event.reason, now, run=None, missing_s=0.0, paged=())
    return Transition(state=after, kind="rollout", text=because(text, event.reason), by=event.by)


def _running(state: RolloutState) -> RolloutRun:
    if state.run is None:
        raise ConflictError("No rollout runs here.", "Start one with `quantdeck rollout start FILE`.")
    return state.run


def _at_weight(run: RolloutRun, weight_bp: int, pause: Pause) -> RolloutRun:
    """The run as it stands at a weight that a person chose: on the last step that it reaches, soaking anew."""
    reached = sum(step.weight_bp <= weight_bp for step in run.plan.steps)
    return msgspec.structs.replace(
        run, step=max(0, reached - 1), soaked_s=0.0, outputs=0, outputs_seen=-1, paused=pause, done=False
    )
