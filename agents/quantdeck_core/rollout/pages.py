"""Telling a person once a cause, not once a tick."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.durations import spoken
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.blocks import entered, needs
from quantdeck_core.rollout.events import Alert, Gates, Transition
from quantdeck_core.rollout.state import CONTROL_BAD, CONTROL_DOWN, RolloutState

GRACE = 1 / 15
"""Of the deadline: metrics that are missing for less are worth no warning. A minute of 15."""


def page(state: RolloutState, gates: Gates) -> Transition:
    """Raise the first cause that nobody was told of; forget those that are gone, so that they are told again."""
    causes = dict(_causes(state, gates))
    kept = tuple(cause for cause in state.paged if cause in causes)
    for cause, alert in causes.items():
        if cause not in kept:
            return Transition(
                state=msgspec.structs.replace(state, paged=(*kept, cause)), kind="alarm", text=alert.text, alert=alert
            )
    return Transition(state=state if kept == state.paged else msgspec.structs.replace(state, paged=kept))


def _causes(state: RolloutState, gates: Gates) -> Iterator[tuple[str, Alert]]:
    if state.weight_bp == 0:
        return
    share = f"{bp_to_percent(state.weight_bp)} % stay on the treatment"
    if not gates.control_ready:
        text = f"the control is not ready, nobody could be put back; {share}: start the control"
        yield CONTROL_DOWN, Alert(level="fail", text=text)
    if gates.verdict == "control-unhealthy":
        text = f"both arms are bad or the control is: {gates.verdict_why}; {share}: look upstream of the quantization"
        yield CONTROL_BAD, Alert(level="fail", text=text)
    if gates.canary == "failed":
        text = f"the canary failed: {gates.canary_why or 'see its report'}; {share}, the plan holds"
        yield "canary", Alert(level="fail", text=text)
    if _step_waits_for_the_way_back(state, gates):
        text = f"the next step waits: nobody could be put back now, {gates.roll_back_why or 'it is not known why'}"
        yield "readiness", Alert(level="warn", text=text)
    if not gates.metrics_fresh and state.missing_s >= GRACE * state.missing_deadline_s:
        yield "metrics", Alert(level="warn", text=_missing(state, gates))


def _step_waits_for_the_way_back(state: RolloutState, gates: Gates) -> bool:
    run = state.run
    if gates.can_roll_back or run is None or run.done or run.paused:
        return False
    return entered(state, run) and not needs(state, run)


def _missing(state: RolloutState, gates: Gates) -> str:
    why = gates.metrics_why or "nothing is heard"
    if not gates.control_ready:
        return f"no metrics of the treatment: {why}; and no control to go back to, so nothing moves"
    left = spoken(max(0.0, state.missing_deadline_s - state.missing_s))
    return f"no metrics of the treatment: {why}; nothing rises, and everyone goes back in {left} unless they return"
