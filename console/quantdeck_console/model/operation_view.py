"""What an agent is doing with its engines, and what it did a moment ago."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_console.model.text import Line, Span, Tone, ends, line, span, wrapped
from quantdeck_core.fleet.cells import age, clock
from quantdeck_core.fleet.operation_text import mark, progress_line, title
from quantdeck_core.protocol.operation import Operation, Step

ENDED_SHOWN_S = 300.0
"""An operation's end is news for five minutes."""

_ENDED: dict[str, Tone] = {"done": "ok", "failed": "fail", "cancelled": "warn"}
_STEPS: dict[str, Tone] = {"done": "dim", "running": "strong", "failed": "warn", "waiting": "dim"}


def operation_lines(operations: Iterable[Operation], now: float, width: int) -> list[Line]:
    """Those under way with their steps, then those that ended lately; the newest first.

    Args:
        now: UNIX time of the host's clock, seconds.
    """
    newest = sorted(operations, key=lambda one: one.at, reverse=True)
    lines: list[Line] = []
    for one in newest:
        if one.ended is None:
            lines += _under_way(one, now, width)
    for one in newest:
        if one.ended is not None and now - one.ended <= ENDED_SHOWN_S:
            lines += _ended(one, width)
    return lines


def _under_way(one: Operation, now: float, width: int) -> list[Line]:
    start = line(span(f" {title(one)}  ", "strong"), span(progress_line(one)))
    lines = [ends(start, line(span(f"for {age(now - one.at)} ", "dim")), width)]
    if one.steps:
        lines.append((Span("  "), *(part for step in one.steps for part in (Span(" "), _step(step)))))
    for said in (one.why and f"because {one.why}", one.forced and f"forced by {one.forced}"):
        lines += wrapped(said, width, "dim", indent="   ", most=1)
    if one.outage_s:
        lines += wrapped(f"announced: about {one.outage_s:.0f} s without this engine", width, "warn", indent="   ")
    return lines


def _step(step: Step) -> Span:
    return span(f"{mark(step)}{step.name}", _STEPS[step.state])


def _ended(one: Operation, width: int) -> list[Line]:
    glyph = "" if one.state == "done" else " x"
    start = line(span(f" {title(one)}  "), span(f"{progress_line(one)}{glyph}", _ENDED.get(one.state, "")))
    lines = [ends(start, line(span(f"{clock(one.ended or one.at)} ", "dim")), width)]
    if one.error:
        lines += wrapped(one.error.detail, width, "warn", indent="   ", most=2)
        lines += wrapped(one.error.hint, width, "dim", indent="   ", most=1)
    return lines
