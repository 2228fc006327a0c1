"""What happened, oldest first: as rows, and one of them opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quantdeck_console.model.host_view import event_line
from quantdeck_console.model.incident import Incident, Side
from quantdeck_console.model.text import EMPTY, Line, Span, greyed, left, line, span, wrapped
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.fleet.cells import clock, clock_utc, day, zone
from quantdeck_core.fleet.words import has_words
from quantdeck_core.protocol.experiment import TimelineEntry

_STARTS = ("start", "restart")
_SAME_S = 1.0
"""A start and the line that tells of it are noted within a millisecond; a loaded disk may come in between."""


class Happened(NamedTuple):
    """One row: what, where, and whether that host was heard lately."""

    host: str
    entry: TimelineEntry
    old: bool = False


def happened(incident: Incident) -> list[Happened]:
    """All hosts' rows, the newest last."""
    rows: list[Happened] = []
    for side in incident.sides:
        old = side.age_s(incident.now) is not None
        rows += [Happened(side.view.name, entry, old) for entry in _told(side)]
    return sorted(rows, key=lambda one: one.entry.t)


def matching(rows: Sequence[Happened], pattern: str) -> list[Happened]:
    """Those with the words of a filter in their kind, text, host or who did it."""
    return [one for one in rows if has_words(f"{one.entry.kind} {one.entry.text} {one.entry.by} {one.host}", pattern)]


def _told(side: Side) -> Iterator[TimelineEntry]:
    """What the agent answered, and what its events told since; its alarms with it."""
    known = side.asked.value.report.timeline if side.asked.value else ()
    yield from known
    if side.experiment:
        yield from (entry for entry in side.experiment.timeline if entry not in known)
        for alarm in side.view.alarms:
            if alarm.experiment in ("", side.experiment.name):
                kind = "over" if alarm.level == "ok" else "alarm"
                yield TimelineEntry(t=alarm.t, kind=kind, text=alarm.text, by="")


class Columns(NamedTuple):
    """What the rows have in common.

    Attributes:
        today: the day that needs no naming; empty where all of them are named.
        host: cells of the column of hosts; 0 where there is one host only.
    """

    today: str
    host: int

    @classmethod
    def of(cls, incident: Incident, rows: Sequence[Happened]) -> Columns:
        """Days are named where one is not today's."""
        today = day(incident.now)
        longest = max((len(one.host) for one in rows), default=0)
        return cls(
            today=today if all(day(one.entry.t) == today for one in rows) else "",
            host=min(16, longest) if incident.merged else 0,
        )


def entry_line(one: Happened, columns: Columns, width: int) -> Line:
    """A row."""
    entry = one.entry
    at = clock(entry.t) if columns.today else f"{day(entry.t)} {clock(entry.t)}"
    host = (*left(one.host, columns.host, "dim"), Span(" ")) if columns.host else ()
    row = event_line(entry.t, entry.kind, entry.text, entry.by, width, at=at, host=host)
    return greyed([row])[0] if one.old else row


def whole_lines(one: Happened, width: int) -> list[Line]:
    """A row with all of its text."""
    entry = one.entry
    start = f"{day(entry.t)} {clock(entry.t)}  {entry.kind:<9} "
    first, *rest = wrapped(f"{entry.text} ({entry.by or 'nobody'})", width - len(start), indent="")
    indent = Span(" " * len(start))
    return [(span(start), *first), *((indent, *more) for more in rest)]


def opened_lines(one: Happened, incident: Incident, width: int) -> list[Line]:
    """Everything about a row: the whole text, and what ran then."""
    entry = one.entry
    local = zone(entry.t)
    there = "" if local == "UTC" else f", {clock_utc(entry.t)}"
    lines = [
        *wrapped(f"{entry.kind} on {one.host}{f' by {entry.by}' if entry.by else ''}", width, "strong"),
        line(span(f" {day(entry.t)} {clock(entry.t)} {local}{there}", "dim")),
        EMPTY,
        *wrapped(entry.text, width),
    ]
    side = next((side for side in incident.sides if side.view.name == one.host), None)
    story = side.asked.value if side else None
    if story is None:
        return [*lines, EMPTY, line(span(" What ran then is not known: its agent has not answered.", "dim"))]
    for arm, starts in (("control", story.report.control_starts), ("treatment", story.report.treatment_starts)):
        lines += _ran(arm, starts, entry, width)
    return lines


def _ran(arm: str, starts: Sequence[Start], entry: TimelineEntry, width: int) -> list[Line]:
    """What an arm was started with last before that; the whole command line where the row is that start."""
    index = max((at for at, start in enumerate(starts) if start.t <= entry.t + _SAME_S), default=None)
    if index is None:
        return [EMPTY, line(span(f" {arm}: no start before that is known", "dim"))]
    start = starts[index]
    what = f"{arm}: {start.profile}, {start.model} {start.sha256[:12]}".rstrip()
    lines = [
        EMPTY,
        *wrapped(f"{what}, engine {start.version or 'unknown'}, since {day(start.t)} {clock(start.t)}", width),
    ]
    if entry.kind not in _STARTS or abs(start.t - entry.t) > _SAME_S:
        return lines
    if start.sha256:
        lines += wrapped(f"sha256 {start.sha256}", width, "dim", indent="   ")
    if index:
        changed = changes(starts[index - 1], start)
        lines += [row for text in changed for row in wrapped(f"changed: {text}", width, "warn", indent="   ")]
        if not changed:
            lines.append(line(span("   nothing is another than at the start before", "dim")))
    return [*lines, *(row for words in _flags(start.argv) for row in wrapped(words, width, "", indent="   "))]


def _flags(argv: Sequence[str]) -> list[str]:
    """A flag with its values on a line."""
    lines: list[str] = []
    for word in argv:
        if word.startswith("-") or not lines:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines
