"""Where an experiment stands beside its arms, as lines: its plan, its other gateways, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from quantdeck_console.model.text import Line, fit, line, span
from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import age, clock_minutes, count, duration, plural, split, weight
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Freeze
from quantdeck_core.rollout.progress import RolloutProgress

_LABEL = 7
Gateways = Sequence[tuple[HostView, ExperimentStatus]]


def plan_lines(experiment: ExperimentStatus, width: int) -> list[Line]:
    """Where the plan stands, when it goes on, and the first thing that it waits for."""
    plan = experiment.progress
    if plan is None:
        return []
    soaked = f"{spoken(plan.soaked_s)} of {spoken(plan.soak_s)}"
    answers = f"{count(plan.outputs)} of {count(plan.min_outputs)} answers"
    lines = [_labelled("plan", f"{plan.name} {plan.step}/{plan.steps}: {plan.phase}, {soaked}, {answers}", width)]
    said = _next(plan)
    return [*lines, _labelled("", said, width, dim=True)] if said else lines


def no_plan(experiment: ExperimentStatus, width: int) -> list[Line]:
    """How a plan is begun, where one could be."""
    if experiment.progress or experiment.finished or experiment.state.latched:
        return []
    return [_labelled("plan", "none runs; `quantdeck rollout start FILE` begins one", width, dim=True)]


def frozen_lines(frozen: Freeze | None, width: int) -> list[Line]:
    """That nothing moves on this host, and who said so."""
    if frozen is None:
        return []
    said = f"FROZEN by {frozen.by} since {clock_minutes(frozen.since)}: {frozen.reason}"
    return [line(" ", span(fit(said, width - 2), "warn"))]


def gateway_lines(others: Gateways, width: int) -> list[Line]:
    """The same experiment on other gateways."""
    if not others:
        return []
    said = ", ".join(f"{view.name} {_stands(view, one)}" for view, one in others)
    return [_labelled("also", f"on {plural(len(others), 'more gateway')}: {said}", width)]


def way_back(experiment: ExperimentStatus, now: float, width: int) -> list[Line]:
    """How long a rollback should take, what would make it slower, and when it was rehearsed."""
    ready = experiment.rollback
    drill = ready.last_drill
    took = [f"about {duration(ready.expected_s * 1000)}"] if ready.expected_s is not None else []
    if drill:
        took.append(f"rehearsed {age(now - drill.t)} ago: {'it would work' if drill.passed else 'it would NOT work'}")
    said = "; ".join((*took, *ready.warnings[:1]))
    return [_labelled("back", said, width, dim=True)] if said else []


def _next(plan: RolloutProgress) -> str:
    """``50 % in about 4 h if all stays well``, or what is in the way first."""
    follows = f"{weight(plan.next_bp)} next" if plan.next_bp is not None else ""
    if plan.left_s is not None:
        return f"{follows or 'done'} in about {spoken(plan.left_s)} if all stays well"
    waits = f"waits for: {plan.waits_for[0]}" if plan.waits_for else ""
    return "; ".join(filter(None, (follows, waits)))


def _stands(view: HostView, experiment: ExperimentStatus) -> str:
    if view.link.state != "connected":
        return "out of reach"
    if experiment.finished:
        return "ended"
    back = " rolled back" if experiment.state.latched else "" if experiment.effective else " not effective yet"
    return f"{split(experiment.state.weight_bp)}{back}"


def _labelled(label: str, text: str, width: int, *, dim: bool = False) -> Line:
    return line(" ", span(f"{label:<{_LABEL}}", "dim"), span(fit(text, width - _LABEL - 2), "dim" if dim else ""))
