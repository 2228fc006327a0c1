"""How a state becomes the next one."""

from __future__ import annotations

from typing import Any

import msgspec

from quantdeck_core.errors import ConflictError, InputError
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.state import RolloutRun, RolloutState, stage_of


def changed(state: RolloutState, **fields: Any) -> RolloutState:
    """The state after a change that people must see before they make theirs: its revision is one higher."""
    return msgspec.structs.replace(state, revision=state.revision + 1, **fields)


def weighted(state: RolloutState, weight_bp: int, by: str, reason: str, now: float, **fields: Any) -> RolloutState:
    """The state after a change of the weight, with the stage that it means."""
    run: RolloutRun | None = fields.get("run", state.run)
    stage = stage_of(weight_bp, run.plan.hold_back_bp if run else 0)
    return changed(
        state, weight_bp=weight_bp, stage=stage, from_bp=0, by=by, reason=reason, since=now, began=0.0, **fields
    )


def with_run(state: RolloutState, run: RolloutRun) -> RolloutState:
    """The same state and revision with a run that was counted on."""
    return state if run == state.run else msgspec.structs.replace(state, run=run)


def check_revision(state: RolloutState, revision: int) -> None:
    """Refuse what was based on another revision.

    Raises:
        ConflictError: it is not the present one.
    """
    if revision != state.revision:
        raise ConflictError(
            f"Somebody changed the experiment first: you saw revision {revision}, it is at {state.revision}.",
            "Look at it again and repeat the change if it is still right.",
        )


def check_open(state: RolloutState) -> None:
    """Refuse what would raise the weight where nothing may rise.

    Raises:
        ConflictError: rolled back, a rollback waits, or finished.
    """
    if state.finished:
        raise ConflictError(
            "The experiment is finished: its treatment is the new baseline.", "Create another experiment."
        )
    if state.latched:
        raise ConflictError(
            f"The experiment is rolled back: {state.reason}.",
            "Say why it may go on with `quantdeck experiment clear NAME --reason ...`; it then starts again at 5 %.",
        )
    if state.pending:
        raise ConflictError(
            f"A rollback waits for the control: {state.pending.reason}.",
            "Start the control; or say why it need not happen with `quantdeck experiment clear NAME --reason ...`.",
        )


def check_reason(reason: str, what: str) -> None:
    """Refuse what nobody could explain later.

    Raises:
        InputError: no reason was given.
    """
    if not reason.strip():
        raise InputError(f"{what} takes a reason.", "Give it with --reason; it is recorded.")


def because(text: str, reason: str) -> str:
    """A line for the timeline, with the reason where there is one."""
    return f"{text}: {reason}" if reason else text


def moved(before_bp: int, after_bp: int) -> str:
    """A change of the weight in words."""
    return f"weight {bp_to_percent(before_bp)} % -> {bp_to_percent(after_bp)} %"
