"""Back to the control, and the way out of it again."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import ConflictError
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.change import changed, check_revision, weighted
from quantdeck_core.rollout.events import SYSTEM, Alert, LatchCleared, RollbackAsked, Transition, TreatmentFailed
from quantdeck_core.rollout.state import CONTROL_DOWN, RESTART_BP, Pause, PendingRollback, RolloutRun, RolloutState


def rollback_asked(state: RolloutState, event: RollbackAsked, now: float) -> Transition:
    """A person's: also from 0 %, which latches.

    Raises:
        ConflictError: it was based on a stale revision.
    """
    if state.latched:
        return Transition(state=state)
    if event.revision is not None:
        check_revision(state, event.revision)
    if not event.control_ready and state.weight_bp > 0:
        return wait_for_control(state, event.by, event.reason, now, event.began)
    return roll_back(state, event.by, event.reason, now, event.began)


def treatment_failed(state: RolloutState, event: TreatmentFailed, now: float) -> Transition:
    """The judge's or the supervisor's: only where users are on the treatment."""
    if state.latched or state.weight_bp == 0:
        return Transition(state=state)
    if not event.control_ready:
        return wait_for_control(state, SYSTEM, event.reason, now)
    return roll_back(state, SYSTEM, event.reason, now)


def roll_back(state: RolloutState, by: str, reason: str, now: float, began: float = 0.0) -> Transition:
    """Weight 0, latched. The plan is kept for the day when the latch is cleared.

    Args:
        began: UNIX time at which it was decided, where that was earlier.
    """
    text = f"rolled back from {bp_to_percent(state.weight_bp)} %: {reason}"
    after = changed(
        state,
        stage="rollback",
        weight_bp=0,
        from_bp=state.weight_bp,
        by=by,
        reason=reason,
        since=now,
        began=began or now,
        run=_from_the_start(state.run),
        pending=None,
        missing_s=0.0,
        paged=(),
        finished=False,
    )
    return Transition(state=after, kind="rollback", text=text, by=by, alert=Alert(level="fail", text=text))


def wait_for_control(state: RolloutState, by: str, reason: str, now: float, began: float = 0.0) -> Transition:
    """Nobody is rolled back onto a dead control: remember it, tell a person once, move nothing."""
    if state.pending:
        return Transition(state=state)
    text = (
        f"{reason}; the control is not ready, so nothing was moved: "
        f"{bp_to_percent(state.weight_bp)} % stay on the treatment until the control is ready, then they go back"
    )
    pending = PendingRollback(by=by, reason=reason, since=now, began=began or now)
    return Transition(
        state=changed(state, pending=pending, finished=False, paged=tuple(dict.fromkeys((*state.paged, CONTROL_DOWN)))),
        kind="pending",
        text=text,
        by=by,
        alert=Alert(level="fail", text=text),
    )


def clear(state: RolloutState, event: LatchCleared, now: float) -> Transition:
    """Let a treatment start again from 5 %, or take back a rollback that waits for the control.

    Raises:
        ConflictError: stale, or there is nothing to clear.
    """
    check_revision(state, event.revision)
    if state.pending and not state.latched:
        return _take_back(state, event, now)
    if not state.latched:
        raise ConflictError("The experiment is not rolled back.", "There is nothing to clear.")
    if state.run:
        return _restart_plan(state, state.run, event, now)
    return Transition(
        state=weighted(state, RESTART_BP, event.by, event.reason, now, cleared=now),
        kind="clear",
        text=f"rollback cleared, starting again at {bp_to_percent(RESTART_BP)} %: {event.reason}",
        by=event.by,
    )


def _take_back(state: RolloutState, event: LatchCleared, now: float) -> Transition:
    run = state.run
    if run:
        run = msgspec.structs.replace(run, paused=Pause(by=event.by, reason="took back a rollback"))
    paused = f"; the rollout {run.plan.name} is paused" if run else ""
    return Transition(
        state=changed(state, pending=None, run=run, cleared=now),
        kind="clear",
        text=f"the rollback that waited for the control is taken back, the weight stays at "
        f"{bp_to_percent(state.weight_bp)} %{paused}: {event.reason}",
        by=event.by,
    )


def _restart_plan(state: RolloutState, run: RolloutRun, event: LatchCleared, now: float) -> Transition:
    # Not at once: what was mended is another treatment, and its canary has to pass before a user sees it.
    again = RolloutRun(plan=run.plan.restarted(), by=event.by, skipped=run.skipped)
    return Transition(
        state=weighted(state, 0, event.by, event.reason, now, run=again, cleared=now),
        kind="clear",
        text=f"rollback cleared, the rollout {run.plan.name} starts again at "
        f"{bp_to_percent(again.current.weight_bp)} % as soon as its gates are open: {event.reason}",
        by=event.by,
    )


def _from_the_start(run: RolloutRun | None) -> RolloutRun | None:
    if run is None:
        return None
    return RolloutRun(plan=run.plan, by=run.by, skipped=run.skipped)
