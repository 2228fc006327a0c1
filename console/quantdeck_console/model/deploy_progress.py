"""Operations of a host as they go on: a few words for its row, and all steps below."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import (
    EMPTY,
    Line,
    Span,
    ends,
    fit,
    greyed,
    left,
    line,
    right,
    span,
    width_of,
    wrapped,
)
from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import age, clock
from quantdeck_core.fleet.health import health
from quantdeck_core.fleet.operation_text import title
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.operation import Operation, Step, StepState

ENDED_SHOWN_S = 600.0
"""How an operation ended stays in its host's row for ten minutes of the host's clock."""
UNREACHABLE = Span("unreachable ?", "stale")
"""What goes on there is not known: neither how far it is nor that it is done."""
_BAR = 16
_HEAD = 2
_LOST = (
    "UNREACHABLE ? as last heard {age} ago, and it was not done then. Its agent goes on by itself; what became of it "
    "is shown once that answers."
)
_MARKS: dict[StepState, Span] = {
    "waiting": Span(".", "dim"),
    "running": Span(">", "key"),
    "done": Span("+"),
    "failed": Span("x", "warn"),
}
_ENDED: dict[str, Span] = {
    "done": Span("done", "ok"),
    "failed": Span("failed x", "fail"),
    "cancelled": Span("cancelled", "strong"),
}


def under_way(view: HostView) -> tuple[Operation, ...]:
    """What goes on on a host as it said last, the newest first."""
    known = view.status.operations if view.status else ()
    return tuple(one for one in reversed(known) if one.ended is None)


def lately(view: HostView, identifier: str = "") -> Operation | None:
    """The operation of this id; without one, the last that ended not long ago."""
    if view.status is None:
        return None
    for one in reversed(view.status.operations):
        if identifier and one.id == identifier:
            return one
        if not identifier and one.ended is not None and view.status.sample.t - one.ended <= ENDED_SHOWN_S:
            return one
    return None


def step_words(operation: Operation) -> Span:
    """Where it is: ``load 45 %``; how it ended."""
    if operation.ended is not None:
        return _ENDED.get(operation.state, Span(operation.state, "warn"))
    if operation.state == "cancelling":
        return Span("cancelling", "warn")
    current = operation.current
    return Span(f"{current.name}{_share(current)}" if current else "waits", "strong")


def operation_lines(
    view: HostView, operation: Operation, width: int, height: int, glyphs: Glyphs, lost_s: float | None
) -> list[Line]:
    """All of one operation; a line a step where there is room.

    Args:
        lost_s: seconds since its host was heard, where that is too long ago; None while it is current.
    """
    now = view.status.sample.t if view.status else operation.at
    said = line(" ", step_mark(operation), span(f" {title(operation)}", "strong"))
    by = span(f"  by {operation.by or 'somebody'} {clock(operation.at)}", "dim")
    lines = [ends((*said, by), line(_took(operation, now), " "), width)]
    if operation.ended is not None:
        return lines + _outcome(operation, width)
    if lost_s is not None:
        lines += wrapped(_LOST.format(age=age(lost_s)), width, "warn", most=2)
    if operation.outage_s:
        lines += wrapped(
            f"announced: about {operation.outage_s:.0f} s without {operation.engine}", width, "warn", most=1
        )
    if operation.forced:
        lines += wrapped(f"forced by {operation.forced}", width, "dim", most=1)
    steps = _each if height - len(lines) > len(operation.steps) else _together
    drawn = steps(operation, width, now, glyphs)
    return lines + (drawn if lost_s is None else greyed(drawn))


def _outcome(operation: Operation, width: int) -> list[Line]:
    error = operation.error
    if error is None:
        return []
    lines = wrapped(f"x {error.title}: {error.detail}", width, "warn", indent="   ", most=3)
    return lines + (wrapped(f"next: {error.hint}", width, "", indent="   ", most=2) if error.hint else [])


def at_work_lines(views: Iterable[HostView], now: float, width: int, room: int) -> list[Line]:
    """What goes on on other hosts, a line each; the last one says how many more there are."""
    going = [(view, one) for view in views for one in under_way(view)]
    if not going or room < _HEAD + 1:
        return []
    shown = going[: room - _HEAD] if len(going) <= room - _HEAD else going[: room - _HEAD - 1]
    lines = [EMPTY, line(span(" AT WORK ELSEWHERE", "head")), *(_at_work(view, one, now, width) for view, one in shown)]
    more = len(going) - len(shown)
    return [*lines, line(span(f"   and {more} more", "dim"))] if more else lines


def _at_work(view: HostView, operation: Operation, now: float, width: int) -> Line:
    gone = view.link.state != "connected" or health(view, now).level == "stale"
    words = UNREACHABLE if gone else step_words(operation)
    current = operation.current
    name = max(14, width // 5)
    start = (Span("   "), *left(view.name, name, "strong"), Span(" "), *left(words.text, 13, words.tone), Span("  "))
    detail = f"{title(operation)}  {current.detail if current and not gone else ''}"
    return (*start, span(fit(detail, width - width_of(start) - 1), "dim"))


def step_mark(operation: Operation) -> Span:
    """One character for how it is."""
    if operation.ended is None:
        return Span(">", "key")
    return {"done": Span("+", "ok"), "failed": Span("x", "warn")}.get(operation.state, Span("-", "dim"))


def _took(operation: Operation, now: float) -> Span:
    if operation.ended is None:
        return span(f"for {spoken(now - operation.at)}", "dim")
    ended = step_words(operation)
    return span(f"{ended.text} after {operation.ended - operation.at:.1f} s", ended.tone)


def _each(operation: Operation, width: int, now: float, glyphs: Glyphs) -> list[Line]:
    return [_step(step, width, now, glyphs) for step in operation.steps]


def _step(step: Step, width: int, now: float, glyphs: Glyphs) -> Line:
    mark = _MARKS[step.state]
    start = (
        Span("   "),
        mark,
        Span(" "),
        *left(step.name, 9, mark.tone),
        *right(_time(step, now), 8, "dim"),
        Span("  "),
    )
    if step.state != "running":
        return start
    return (*start, *_bar(step, glyphs), span(fit(step.detail, width - width_of(start) - _BAR - 8), ""))


def _together(operation: Operation, width: int, now: float, glyphs: Glyphs) -> list[Line]:
    """All steps on one or two lines, and the present one below them."""
    rows: list[Line] = []
    row: list[Span] = [Span("  ")]
    for step in operation.steps:
        mark = _MARKS[step.state]
        part = Span(f" {mark.text} {step.name}", mark.tone)
        if width_of((*row, part)) > width - 1:
            rows.append(tuple(row))
            row = [Span("  ")]
        row.append(part)
    rows.append(tuple(row))
    current = operation.current
    return [*rows, _step(current, width, now, glyphs)] if current else rows


def _bar(step: Step, glyphs: Glyphs) -> Line:
    if step.fraction is None:
        return ()
    full, empty = glyphs.bar(step.fraction, 1.0, _BAR)
    return (Span(full, "ok"), Span(empty, "dim"), Span(f" {step.fraction * 100:3.0f} %  ", "strong"))


def _share(step: Step) -> str:
    return f" {step.fraction * 100:.0f} %" if step.fraction is not None else ""


def _time(step: Step, now: float) -> str:
    if step.began is None:
        return ""
    return f"{step.ended - step.began:.1f} s" if step.ended is not None else spoken(now - step.began)
