"""An incident as text: what stands out, what happened, and the figures."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from quantdeck_console.model.text import fit
from quantdeck_core.incident.findings import onset
from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.incident.trend import TrendCell, TrendRow
from quantdeck_core.protocol.incident import IncidentReport

_MINUTES = 15
"""Rows of the trend that are shown; the export has all."""
_MINUTES_BEFORE = 5
"""Of them before the onset."""


def incident_lines(report: IncidentReport) -> Iterator[str]:
    """The whole report for a terminal of 80 columns and more."""
    state = report.state
    yield f"{report.experiment} on {report.host}: {state.stage}, {state.weight_bp / 100:g} % on the treatment"
    yield f"verdict: {report.verdict.kind}" + (f" ({report.verdict.reason})" if report.verdict.reason else "")
    yield ""
    yield from (f"* {one}" for one in report.findings)
    yield ""
    yield "timeline"
    yield from (f"  {_clock(one.t)}  {one.kind:<9} {one.text} ({one.by})" for one in report.timeline)
    yield from _table("by minute", _around_onset(report.by_time))
    yield from _table("prompts, by 2k tokens", report.by_length)
    yield from _table("by segment", report.by_segment)
    yield ""
    if report.replay:
        yield from replay_lines(report.replay)
    elif report.flagged:
        yield f"{report.flagged} flagged prompts are held in memory: --replay asks them again on both arms."
    else:
        yield "No flagged prompt is held: none was flagged, or the profiles do not allow keeping them."


def replay_lines(replay: ReplayReport) -> Iterator[str]:
    """What became of the flagged prompts."""
    yield f"replay: {replay.text}"
    for one in replay.prompts:
        if one.error:
            yield f"  {_clock(one.t)}  {', '.join(one.flags):<20} {one.error}"
            continue
        arms = f"control {_flags(one.control)}, treatment {_flags(one.treatment)}"
        yield f"  {_clock(one.t)}  {', '.join(one.flags):<20} {arms}"


def _flags(flags: tuple[str, ...] | None) -> str:
    return "no answer" if flags is None else ", ".join(flags) or "well"


def _around_onset(rows: tuple[TrendRow, ...]) -> tuple[TrendRow, ...]:
    """The minutes in which it began; the newest where nothing did."""
    began = onset(rows)
    if began is None:
        return rows[-_MINUTES:]
    first = next(index for index, row in enumerate(rows) if row.t == began.t)
    return rows[max(0, first - _MINUTES_BEFORE) :][:_MINUTES]


def _table(title: str, rows: Iterable[TrendRow]) -> Iterator[str]:
    rows = list(rows)
    if not rows:
        return
    yield ""
    yield f"{title:<22}{'':>10}answers   loops  refuse  garble  failed   words"
    for row in rows:
        label = fit(row.label, 20) if row.label else _clock(row.t)
        yield f"  {label:<20}{'control':>10}{_cells(row.control)}"
        yield f"  {'':<20}{'treatment':>10}{_cells(row.treatment)}"


def _cells(cell: TrendCell) -> str:
    shares = "".join(
        f"{'-' if share is None else f'{share:.1%}':>8}"
        for share in (cell.share(signal) for signal in ("repetition", "refusal", "garbled", "failures"))
    )
    words = "-" if cell.mean_words is None else f"{cell.mean_words:.0f}"
    return f"{cell.outputs + cell.failures:>7}{shares}{words:>8}"


def _clock(t: float) -> str:
    return datetime.datetime.fromtimestamp(t, datetime.UTC).strftime("%m-%d %H:%M:%S")
