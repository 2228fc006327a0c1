"""The log view as lines: which log, whether it goes on, and its rows."""

from __future__ import annotations

from collections.abc import Sequence

from quantdeck_console.model.log_choices import LogChoice
from quantdeck_console.model.log_tail import LogRow, LogTail
from quantdeck_console.model.text import Line, Span, ends, left, line, span, wrapped
from quantdeck_core.fleet.cells import clock, count, plural

_CLOCK = 8
_MOST_SOURCE = 20


def source_width(rows: Sequence[LogRow]) -> int:
    """Cells that the names of the logs take; 0 where all rows are of one."""
    names = {row.source for row in rows if row.source}
    return min(_MOST_SOURCE, max(map(len, names))) if len(names) > 1 else 0


def log_head(now: LogChoice, choices: Sequence[LogChoice], tail: LogTail, shown: int, pattern: str, width: int) -> Line:
    """Which of the logs this is, and whether it goes on."""
    state = Span("following", "ok")
    if tail.held:
        newer = f", {count(tail.newer)} newer" if tail.newer else ""
        state = span(f"HELD !{newer}, f follows", "warn")
    place = f"{choices.index(now) + 1}/{len(choices)}" if now in choices else ""
    filtered = f"filter: {pattern}  " if pattern else ""
    end = line(span(filtered, "warn"), span(f"{plural(shown, 'line')} ", "dim"))
    return ends(line(" ", span(now.label, "strong"), span(f"  {place}  ", "dim"), state), end, width)


def log_line(row: LogRow, names: int) -> Line:
    """One row.

    Args:
        names: cells for the log's name; 0 leaves it out.
    """
    when = span(f"{clock(row.t) if row.t is not None else '':<{_CLOCK}} ", "dim")
    source = (*left(row.source, names, "dim"), Span(" ")) if names else ()
    return (when, *source, span(f"-- {row.text}", "warn") if row.remark else span(row.text))


def whole_line(row: LogRow, width: int, most: int) -> list[Line]:
    """All of a row that did not fit."""
    return wrapped(f"{row.source}: {row.text}", width, "strong", most=most)


def copied(host: str, row: LogRow) -> str:
    """As `quantdeck logs` prints it."""
    return f"{host} {row.source} {'--' if row.remark else '|'} {row.text}"


def nothing(host: str, now: LogChoice, pattern: str, why: str) -> Line:
    """Why there is nothing to see."""
    if pattern:
        return line(span(f" no line matches {pattern!r}; Esc shows all", "dim"))
    return line(span(f" {why or f'nothing is written yet: {now.label} on {host}'}", "dim"))
