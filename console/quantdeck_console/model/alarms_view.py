"""The list of pages as lines: what goes on, who has it, and what cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from quantdeck_console.model.alarms import Alarms, PageRow
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, span, status, wrapped
from quantdeck_core.alerts.words import deaf, standing, times
from quantdeck_core.fleet.cells import clock, clock_minutes, listed, plural
from quantdeck_core.protocol.alerts import Page

_LEVEL, _SINCE = 7, 5
_MOST_NOTES = 3


@dataclass(frozen=True)
class PageColumns:
    """Column widths in cells; the rest of a row has fixed widths."""

    host: int
    who: int
    what: int

    @classmethod
    def for_width(cls, width: int) -> PageColumns:
        """The text gets most of it."""
        host, who = (16, 26) if width >= 110 else (10, 16)
        return cls(host=host, who=who, what=max(8, width - _LEVEL - _SINCE - host - who - 4))


def summary_lines(alarms: Alarms, width: int) -> list[Line]:
    """How many go on and who has them; then what is not known, and who is not told."""
    notes = [wrapped(text, width, tone, most=1)[0] for text, tone in _notes(alarms)]
    if len(notes) > _MOST_NOTES:
        notes = [*notes[: _MOST_NOTES - 1], line(span(f" and {len(notes) - _MOST_NOTES + 1} more", "dim"))]
    return [_summary(alarms), *notes]


def page_head(columns: PageColumns) -> Line:
    """Column names."""
    cells = (
        left("LEVEL", _LEVEL), left("HOST", columns.host), left("SINCE", _SINCE), left("WHO HAS IT", columns.who),
        left("WHAT", columns.what),
    )  # fmt: skip
    return (Span(" "), *(Span(part.text, "head") for cell in cells for part in (*cell, Span(" "))))


def page_line(row: PageRow, columns: PageColumns) -> Line:
    """One page; grey where its host is out of reach."""
    page, gap = row.page, Span(" ")
    level = status("fail" if page.level == "fail" else "warn")
    what = f"{page.experiment}: {page.text}" if page.experiment else page.text
    tones: tuple[Tone, ...] = (level.tone, "strong", "", "warn" if row.state == "open" else "dim", "")
    cells = (
        (level.text, _LEVEL), (row.host, columns.host), (clock_minutes(page.began), _SINCE),
        (_who(row), columns.who), (what, columns.what),
    )  # fmt: skip
    parts: list[Span] = []
    for (text, width), tone in zip(cells, tones, strict=True):
        parts += (*left(text, width, "stale" if row.stale else tone), gap)
    return tuple(parts[:-1])


def page_lines(row: PageRow, now: float, width: int) -> list[Line]:
    """All of one page, at a time of its host's clock."""
    page = row.page
    about = f"page {page.id}, since {clock(page.began)}{times(page)}"
    where = f"{row.host}  {page.experiment}".rstrip()
    said: Tone = "stale" if row.stale else ""
    lines = [
        line(span(f" {where}  ", "strong"), span(about, "dim")),
        *wrapped(page.text, width, said, most=3),
        *wrapped(standing(page, now), width, "warn" if row.state == "open" and not row.stale else "dim", most=1),
    ]
    if page.note:
        lines += wrapped(f"note: {page.note}", width, said, most=2)
    if page.hint:
        lines += wrapped(f"next: {page.hint}", width, "dim", most=2)
    if row.stale:
        lines.append(line(span(" its host is out of reach: this is what it said last", "stale")))
    return lines


def taken_lines(page: Page, host: str, now: float, width: int) -> list[Line]:
    """What a dialog says of the page that somebody is about to take."""
    where = f"{host} {page.experiment}".rstrip()
    return [
        EMPTY,
        *wrapped(f"{where}: {page.text}", width, "strong", most=3),
        *wrapped(f"since {clock(page.began)}{times(page)}, {standing(page, now)}", width, "dim", most=2),
        EMPTY,
    ]


def _summary(alarms: Alarms) -> Line:
    rows = [row for row in alarms.rows if not row.stale]
    if not rows and alarms.waiting:
        return line(span(f" ... asking {plural(alarms.waiting, 'host')} for their pages", "dim"))
    if not rows and not alarms.asked:
        return line(span(" no host tells of its pages", "strong"))
    if not rows:
        return line(span(f" no pages on {plural(alarms.asked, 'host')}: nobody has to be told of anything", "ok"))
    counts = Counter(row.state for row in rows)
    nobody = f"{plural(counts['open'], 'page')} that nobody has" if counts["open"] else "somebody has every page"
    rest = [f", {counts[state]} {state}" for state in ("snoozed", "acknowledged") if counts[state]]
    return line(" ", span(nobody, "warn" if counts["open"] else "ok"), span("".join(rest)))


def _notes(alarms: Alarms) -> Iterator[tuple[str, Tone]]:
    """What somebody must know who sees only these pages."""
    if alarms.silent:
        hosts = plural(len(alarms.silent), "host")
        yield f"? {hosts} out of reach, with pages that may go on: {listed(alarms.silent)}", "warn"
    yield from ((f"? {host} does not tell: {why}", "warn") for host, why in alarms.failing)
    yield from ((f"! {host}: {deaf(receiver)}", "warn") for host, receiver in alarms.deaf)
    if alarms.untold:
        yield f"nobody outside is told of pages on {listed(alarms.untold)}", "dim"


def _who(row: PageRow) -> str:
    page = row.page
    match row.state:
        case "acknowledged":
            return page.acknowledged_by
        case "snoozed":
            return f"snoozed to {clock_minutes(page.snoozed_until)}"
        case _:
            return f"nobody, {page.owner}?" if page.owner else "nobody"
