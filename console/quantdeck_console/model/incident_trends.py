"""Both arms by minute around the onset, under one time axis with what happened; and the same in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.incident import Story
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, right, span
from quantdeck_core.fleet.cells import NONE, clock_minutes, number
from quantdeck_core.incident.findings import RISE
from quantdeck_core.incident.trend import BUCKET_S, TrendCell, TrendRow
from quantdeck_core.protocol.experiment import TimelineEntry

_LABEL, _ARM, _FIGURE = 11, 10, 8
_FRAME = 1 + _LABEL + _ARM + 1 + 2 * _FIGURE + 1
"""Cells beside the columns of minutes."""
_BEFORE = 1 / 3
"""Of the minutes shown, so many lie before the onset at most."""
_FIGURES, _FIGURES_BEFORE = 15, 5
"""Minutes that are shown in figures, and how many of them lie before the onset."""
_TICK = 10
"""Minutes between two times on the axis: a time takes five cells."""

MARKS = {
    "rollback": ("R", "rollback"),
    "deploy": ("D", "deploy"),
    "replace": ("D", "deploy"),
    "swap": ("D", "deploy"),
    "restart": ("S", "start"),
    "start": ("S", "start"),
    "recover": ("S", "start"),
    "weight": ("W", "weight"),
    "clear": ("C", "clear"),
    "alarm": ("A", "alarm"),
    "engine": ("E", "engine"),
    "create": ("N", "new"),
}
"""Of kinds of lines: the letter under the axis, and its name. Of those in one minute the first is shown."""


class _Signal(NamedTuple):
    """A row of the trends.

    Attributes:
        name: of the signal as an onset names it; empty for words.
    """

    label: str
    name: str
    value: Callable[[TrendCell], float | None]

    def figure(self, cell: TrendCell) -> str:
        """As people read it."""
        value = self.value(cell)
        if value is None:
            return NONE
        return _share(value) if self.name else number(value)


def _of(signal: str) -> Callable[[TrendCell], float | None]:
    return lambda cell: cell.share(signal)


SIGNALS = (
    _Signal("loops", "repetition", _of("repetition")),
    _Signal("refusals", "refusal", _of("refusal")),
    _Signal("garbled", "garbled", _of("garbled")),
    _Signal("failures", "failures", _of("failures")),
    _Signal("words", "", lambda cell: cell.mean_words),
)


class _Window(NamedTuple):
    """Minutes side by side.

    Attributes:
        start: UNIX time of the first one.
        rows: None where nothing was answered.
        onset: column in which it began, if it is shown.
    """

    start: float
    rows: tuple[TrendRow | None, ...]
    onset: int | None

    def column(self, t: float) -> int | None:
        """Where a UNIX time is, if it is shown."""
        at = int((t - self.start) // BUCKET_S)
        return at if 0 <= at < len(self.rows) else None


def trend_lines(story: Story, timeline: Sequence[TimelineEntry], width: int, glyphs: Glyphs) -> list[Line]:
    """Sparklines first, then figures by length of the prompt, by segment and by minute.

    Args:
        timeline: what is marked under the axis.
    """
    report = story.report
    if not report.by_time:
        return [line(span(" Nothing was answered in the last twelve hours, or the agent was started since.", "dim"))]
    window = _window(story, max(12, width - _FRAME))
    lines = [_head(story, len(window.rows))]
    for signal in SIGNALS:
        lines += _spark(story, window, signal, glyphs)
    lines += [*_axis(story, window), *_marks(timeline, window)]
    groups = (*report.by_length, *report.by_segment)
    if groups:
        since = f"since {clock_minutes(story.began.t)}" if story.began else "of all"
        lines += [EMPTY, *_table(f"GROUPS {since}", groups)]
    return [*lines, EMPTY, *_table("MINUTES", _minutes(window))]


def _window(story: Story, columns: int) -> _Window:
    """The minutes in which it began; the newest where nothing did."""
    rows, began = story.report.by_time, story.began
    first = rows[0].t
    last = max(rows[-1].t, story.report.at // BUCKET_S * BUCKET_S)
    if began:
        last = min(last, began.t + (columns - 1 - int(columns * _BEFORE)) * BUCKET_S)
    start = max(first, last - (columns - 1) * BUCKET_S)
    at = {row.t: row for row in rows}
    minutes = tuple(at.get(start + index * BUCKET_S) for index in range(round((last - start) / BUCKET_S) + 1))
    window = _Window(start, minutes, None)
    return window._replace(onset=window.column(began.t) if began else None)


def _minutes(window: _Window) -> list[TrendRow]:
    """Those around the onset, or the newest: all of them are in an export."""
    at = len(window.rows) if window.onset is None else window.onset - _FIGURES_BEFORE + _FIGURES
    last = min(len(window.rows), max(at, _FIGURES))
    return [row for row in window.rows[max(0, last - _FIGURES) : last] if row]


def _head(story: Story, minutes: int) -> Line:
    figures = ("BEFORE", "SINCE") if story.began else ("", "ALL")
    room = _LABEL + _ARM
    return (
        Span(" "), *left("A COLUMN A MINUTE", room, "head"), Span(" " * (minutes + 1)),
        *right(figures[0], _FIGURE, "head"), *right(figures[1], _FIGURE, "head"),
    )  # fmt: skip


def _spark(story: Story, window: _Window, signal: _Signal, glyphs: Glyphs) -> list[Line]:
    """Two rows to one scale: a share that is never above the alert stays low."""
    rose = story.began is not None and story.began.signal == signal.name
    arms = [[None if row is None else signal.value(arm(row)) for row in window.rows] for arm in (_control, _treatment)]
    highest = max((value for values in arms for value in values if value is not None), default=0.0)
    top = max(highest, RISE) if signal.name else highest
    scale = f"to {_share(top)}" if signal.name else f"to {number(top)}"
    label = Span(f"{signal.label} !", "warn") if rose else Span(signal.label, "")
    lines: list[Line] = []
    for name, arm, values, first in (
        ("control", _control, arms[0], label),
        ("treatment", _treatment, arms[1], Span(f"  {scale}", "dim")),
    ):
        cut = len(values) if window.onset is None or name == "control" or not rose else window.onset
        tone: Tone = "ok" if name == "control" else ""
        drawn = glyphs.sparkline(values, top, len(values))
        before = signal.figure(arm(story.before)) if story.began else ""
        since = signal.figure(arm(story.since))
        lines.append(
            (
                Span(" "), *left(first.text, _LABEL, first.tone), *left(name, _ARM, "dim"),
                Span(drawn[:cut], tone), Span(drawn[cut:], "warn"), Span(" "),
                *right(before, _FIGURE), *right(since, _FIGURE, "warn" if rose and name == "treatment" else ""),
            )
        )  # fmt: skip
    return lines


def _axis(story: Story, window: _Window) -> list[Line]:
    """Times, and where it began."""
    times = [" "] * (len(window.rows) + 5)
    for index in range(len(window.rows)):
        minute = int(window.start // BUCKET_S) + index
        if minute % _TICK == 0 or (index == 0 and minute % _TICK < _TICK - 5):
            times[index : index + 5] = clock_minutes(minute * BUCKET_S)
    margin = Span(" " * (1 + _LABEL + _ARM))
    lines: list[Line] = [(margin, Span("".join(times).rstrip(), "dim"))]
    if story.began and window.onset is not None:
        text = f"^ {clock_minutes(story.began.t)} onset"
        lines.append((margin, Span(" " * window.onset), Span(text, "warn")))
    return lines


def _marks(timeline: Sequence[TimelineEntry], window: _Window) -> list[Line]:
    """A letter under the minute in which something was done, and what the letters mean."""
    order = list(MARKS)
    found: dict[int, str] = {}
    for entry in timeline:
        at = window.column(entry.t)
        if at is not None and entry.kind in MARKS:
            found[at] = min(found.get(at, entry.kind), entry.kind, key=order.index)
    if not found:
        return []
    letters = "".join(MARKS[found[at]][0] if at in found else " " for at in range(max(found) + 1))
    meanings = dict(MARKS[kind] for kind in sorted(found.values(), key=order.index))
    legend = "  ".join(f"{letter} {word}" for letter, word in meanings.items())
    return [
        (Span(" "), *left("events", _LABEL + _ARM, "dim"), Span(letters, "strong")),
        (Span(" " * (1 + _LABEL + _ARM)), Span(legend, "dim")),
    ]


_COLUMNS = ("ANSWERS", "LOOPS %", "REFUSE %", "GARBLE %", "FAILED %", "WORDS")
_GROUP, _SIDE = 20, 4


def _table(title: str, rows: Sequence[TrendRow]) -> list[Line]:
    """A row a group or a minute, `control/treatment` in each cell."""
    head = (Span(" "), *left(title, _GROUP, "head"), *(part for name in _COLUMNS for part in right(name, 9, "head")))
    return [head, *(_row(row) for row in rows)]


def _row(row: TrendRow) -> Line:
    label = row.label or clock_minutes(row.t)
    cells = [_pair(number(_total(row.control)), number(_total(row.treatment)))]
    for signal in SIGNALS:
        ours, theirs = signal.value(row.control), signal.value(row.treatment)
        if not signal.name:
            cells.append(_pair(number(ours), number(theirs)))
            continue
        high = theirs is not None and theirs - (ours or 0.0) > RISE
        cells.append(_pair(_bare(ours), _bare(theirs), "warn" if high else ""))
    return (Span(" "), *left(label, _GROUP), *(part for cell in cells for part in cell))


def _pair(ours: str, theirs: str, tone: Tone = "") -> Line:
    return (*right(ours, _SIDE), Span("/", "dim"), *left(theirs, _SIDE, tone))


def _bare(share: float | None) -> str:
    """Percent in at most four cells."""
    return NONE if share is None else f"{share * 100:.1f}" if share < 0.9995 else "100"


def _share(share: float) -> str:
    return f"{share * 100:.1f} %" if share < 0.0995 else f"{share * 100:.0f} %"


def _total(cell: TrendCell) -> int:
    return cell.outputs + cell.failures


def _control(row: TrendRow) -> TrendCell:
    return row.control


def _treatment(row: TrendRow) -> TrendCell:
    return row.treatment
