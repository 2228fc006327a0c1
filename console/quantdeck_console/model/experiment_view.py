"""The experiment pane as lines: where it stands, why, both arms, and what happened."""

from __future__ import annotations

from quantdeck_console.model.arms import arm_lines
from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.host_view import event_line
from quantdeck_console.model.rollout_view import (
    Gateways,
    frozen_lines,
    gateway_lines,
    no_plan,
    plan_lines,
    way_back,
)
from quantdeck_console.model.text import EMPTY, Line, Span, ends, fit, greyed, line, span, status, wrapped
from quantdeck_core.drift.verdict import percent
from quantdeck_core.fleet.cells import age, clock, count, duration, split, weight
from quantdeck_core.fleet.health import Level, experiment_health, health, heard_age
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.rollout.state import Stage

STAGES: dict[Stage, str] = {
    "fp16_only": "CONTROL ONLY",
    "ab_test": "A/B TEST",
    "gradual": "GRADUAL",
    "full_quant": "FULL QUANTIZED",
    "rollback": "ROLLED BACK",
}
_VERDICTS: dict[str, Span] = {
    "healthy": Span("healthy", "ok"),
    "watch": Span("watch !", "warn"),
    "breach": Span("breach x", "fail"),
    "control-unhealthy": Span("control unhealthy !", "warn"),
    "inconclusive": Span("no verdict yet", "strong"),
}
_TALL = 30
"""Rows from which on there is room for more than the necessary."""
_MIN_TIMELINE = 3
"""Entries that are worth more than a blank line."""


def experiment_lines(
    view: HostView,
    experiment: ExperimentStatus,
    now: float,
    width: int,
    height: int,
    glyphs: Glyphs,
    others: Gateways = (),
) -> list[Line]:
    """What fits a pane: the timeline loses its oldest entries first, then blank lines between groups go.

    Args:
        others: the other gateways that run it.
    """
    stale = link_lines(view, now, width)
    frozen = view.status.frozen if view.status else None
    top = [
        _stage(experiment, width, stale=bool(stale)),
        *_reason(experiment, width),
        *(stale or _verdict(experiment, width)),
        *([] if stale else [*frozen_lines(frozen, width), *plan_lines(experiment, width), *_usual(experiment, width)]),
        *gateway_lines(others, width),
    ]
    if height >= _TALL and not stale:
        top += [*no_plan(experiment, width), *way_back(experiment, now, width)]
    table = arm_lines(experiment, width, glyphs)
    if stale:
        table = [greyed(group) for group in table]
    wanted = min(_MIN_TIMELINE, len(experiment.timeline))
    spare = height - len(top) - sum(map(len, table)) - (1 + wanted if wanted else 0)
    # The most useful gap first: before the table, before the timeline, then inside the table.
    gaps = [spare > order for order in (0, 2, 3, 4, 1)]
    groups = [*table, _timeline(experiment, width, height - len(top) - sum(map(len, table)) - sum(gaps) - 1)]
    lines = list(top)
    for gap, group in zip(gaps, groups, strict=True):
        lines += ([EMPTY] if gap and group else []) + group
    return lines


def verdict_sentence(experiment: ExperimentStatus) -> str:
    """The verdict in words, as copied with `y`."""
    if experiment.state.latched:
        return experiment_health(experiment).text
    return f"{_VERDICTS[experiment.verdict.kind].text}: {experiment.verdict.reason}"


def _stage(experiment: ExperimentStatus, width: int, *, stale: bool) -> Line:
    state = experiment.state
    level: Level = "stale" if stale else experiment_health(experiment).level
    start = line(
        " ", status(level), "  ", span(f"{STAGES[state.stage]} {weight(state.weight_bp)}", "strong"),
        span(f"  users {split(state.weight_bp)}", ""),
        *([] if experiment.effective else [span("  not effective yet !", "warn")]),
    )  # fmt: skip
    return ends(start, line(span("can roll back: ", "dim"), _readiness(experiment, width, stale=stale), " "), width)


def _readiness(experiment: ExperimentStatus, width: int, *, stale: bool) -> Span:
    if stale:
        return Span("not known", "stale")
    if experiment.rollback.can:
        return Span("yes", "ok")
    return span(fit(f"no ! {experiment.rollback.why}".rstrip(), width // 3), "warn")


def _reason(experiment: ExperimentStatus, width: int) -> list[Line]:
    """Why it stands there and who put it there; after a rollback also how fast that was."""
    state, record = experiment.state, experiment.last_rollback
    if state.pending and not state.latched:
        said = f"ROLLBACK PENDING since {clock(state.pending.since)}: {state.pending.reason}; it waits for the control"
        return wrapped(said, width, "fail", most=2)
    if not state.latched:
        if not state.since:
            return []
        said = f": {state.reason}" if state.reason else ""
        return wrapped(f"since {clock(state.since)} by {state.by or 'nobody'}{said}", width, "dim", most=1)
    at = record.at if record else state.since
    lines = wrapped(f"{clock(at)} by {state.by or 'nobody'}: {state.reason}", width, "strong", most=2)
    if record:
        how = (
            f"effective in {duration(record.effective_ms)}"
            if record.detection_to_zero_ms is None
            else f"{duration(record.detection_to_zero_ms)} after the answer that broke the limit"
        )
        judged = f"{count(record.outputs)} answers judged"
        lines += wrapped(f"{split(record.from_bp)} -> 100/0 {how}, {judged}", width, "dim", most=1)
    lines.append(line(span(" latched: the weight stays 0 until somebody clears it", "dim")))
    return lines


def _usual(experiment: ExperimentStatus, width: int) -> list[Line]:
    """What was learned of this service: how far a signal goes here by itself."""
    if not experiment.learned:
        return []
    first = experiment.learned[0]
    limits = ", ".join(
        f"{one.signal} {1 / one.breach:.2f} to {one.breach:.2f} times"
        if one.signal == "length"
        else f"{one.signal} to {percent(one.breach)}"
        for one in experiment.learned
    )
    text = f"{limits} ({first.blocks} {first.unit})"
    return [line(" ", span("usual  ", "dim"), span(fit(text, width - 9)))]


def link_lines(view: HostView, now: float, width: int) -> list[Line]:
    """Says that the numbers below are old, and how old; nothing while they are current."""
    finding = health(view, now)
    if view.link.state == "connected" and finding.level != "stale":
        return []
    silent = heard_age(view, now)
    since = f", these are from {age(silent)} ago" if silent is not None else ""
    return [line(" ", span(fit(f"{view.link.detail or finding.text}{since}", width - 2), "strong"))]


def _verdict(experiment: ExperimentStatus, width: int) -> list[Line]:
    word = _VERDICTS[experiment.verdict.kind]
    if experiment.state.latched and experiment.verdict.kind == "breach":
        return []
    return [line(" ", word, span(f"  {fit(experiment.verdict.reason, width - len(word.text) - 4)}"))]


def _timeline(experiment: ExperimentStatus, width: int, room: int) -> list[Line]:
    entries = experiment.timeline[-room:] if room else ()
    return (
        [
            line(span(" TIMELINE", "head")),
            *(event_line(entry.t, entry.kind, entry.text, entry.by, width) for entry in entries),
        ]
        if entries
        else []
    )
