"""The host pane: everything that is known of one machine, what needs somebody first."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.engine_detail_view import engine_detail_lines
from quantdeck_console.model.engine_table import EngineColumns, engine_head, engine_line, engine_notes, worst_first
from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.gpu_view import gpu_lines
from quantdeck_console.model.host_view import (
    as_old_as_it_is,
    experiment_line,
    gateway_line,
    recent_lines,
    title_line,
)
from quantdeck_console.model.machine_view import machine_lines
from quantdeck_console.model.operation_view import operation_lines
from quantdeck_console.model.text import EMPTY, Line, Span, line, span, wrap, wrapped
from quantdeck_console.model.trends import trends
from quantdeck_console.model.vitals import vitals_line
from quantdeck_core.fleet.cells import clock
from quantdeck_core.fleet.health import Finding, health, open_alarms
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.protocol.history import HistoryAnswer
from quantdeck_core.protocol.host import Alarm, HostStatus

_TALL = 30
_ALARMS = 4
_RECENT = 10


class Answers(NamedTuple):
    """What was asked for besides the events: the selected engine, and the last minutes."""

    engine: Asked[EngineDetail] = Asked()
    history: Asked[HistoryAnswer] = Asked()


def selected_engine(status: HostStatus | None, chosen: str) -> EngineStatus | None:
    """The chosen engine while it is there, else the worst one."""
    engines = worst_first(status.engines) if status else []
    return next((engine for engine in engines if engine.name == chosen), engines[0] if engines else None)


def host_pane_lines(
    view: HostView, now: float, width: int, height: int, glyphs: Glyphs, chosen: str, answers: Answers
) -> list[Line]:
    """All groups; more than a screen holds.

    Args:
        height: of the screen: a low one has less of the selected engine, so that more of the rest is seen.
        chosen: name of the engine under the cursor.
    """
    finding = health(view, now)
    top = [title_line(view, finding, width), *_sentence(view, finding, width)]
    status = view.status
    if status is None:
        return [*top, *_never_heard(view, width)]
    engine, low = selected_engine(status, chosen), height < _TALL
    groups = (
        [vitals_line(status, width), *_alarms(open_alarms(status), width)],
        operation_lines(status.operations, status.sample.t, width),
        [
            *_engines(status, engine, width, glyphs),
            *(engine_detail_lines(engine, status, answers.engine, width, low=low) if engine else ()),
        ],
        [
            *([gateway_line(status.gateway)] if status.gateway else ()),
            *(experiment_line(experiment, width) for experiment in status.experiments),
        ],
        gpu_lines(status.sample, status.engines, width, glyphs),
        machine_lines(status, trends(answers.history, status, now), width, glyphs),
    )
    lines = [one for group in groups if group for one in (EMPTY, *group)][1:]
    return [*top, *as_old_as_it_is(view, now, lines), *recent_lines(view, width, _RECENT + 2)]


def _sentence(view: HostView, finding: Finding, width: int) -> list[Line]:
    """Why its status is what it is, where none of the alarms below says the same."""
    told = {alarm.text for alarm in open_alarms(view.status)} if view.status else set()
    if finding.level == "ok" or finding.text in told:
        return []
    return wrapped(finding.sentence, width, "stale" if finding.level == "stale" else "strong", most=3)


def _never_heard(view: HostView, width: int) -> list[Line]:
    if view.link.state == "connected":
        return [EMPTY, line(span(" its first report is on the way", "dim"))]
    refused = view.link.state == "refused"
    again = "Trying again does not help by itself." if refused else "It is tried again by itself."
    return [
        EMPTY,
        line(span(" Nothing was heard of it since this console was opened.", "dim")),
        *wrapped(f"{again} Is the host up, and does its agent run: systemctl status quantdeck-agent?", width, "dim"),
    ]


def _alarms(alarms: list[Alarm], width: int) -> list[Line]:
    lines: list[Line] = []
    for alarm in sorted(alarms, key=lambda one: one.level != "fail")[:_ALARMS]:
        glyph = Span("x", "fail") if alarm.level == "fail" else Span("!", "warn")
        about = f"{alarm.experiment}: " if alarm.experiment else ""
        first, *more = wrap(f"{about}{alarm.text}", width - 13)
        lines.append((Span(" "), glyph, span(f" {clock(alarm.t)} ", "dim"), span(first, "strong")))
        lines += [line(span(f"{'':<12}{one}", "strong")) for one in more[:1]]
        lines += [line(f"{'':<12}{one}") for one in wrap(alarm.hint, width - 13)[:2]]
    if len(alarms) > _ALARMS:
        lines.append(line(span(f"   and {len(alarms) - _ALARMS} more, below under RECENT", "dim")))
    return lines


def _engines(status: HostStatus, selected: EngineStatus | None, width: int, glyphs: Glyphs) -> list[Line]:
    if selected is None:
        return [line(span(" no engines here  ", "dim"), Span("d", "key"), span(" deploys one", "dim"))]
    columns = EngineColumns.for_engines(status.engines, width)
    lines = [engine_head(columns)]
    for engine in worst_first(status.engines):
        mark = Span(glyphs.cursor, "key") if engine == selected else Span(" ")
        lines += [engine_line(engine, columns, mark), *engine_notes(engine, width)]
    return lines
