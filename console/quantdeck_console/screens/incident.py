"""Pane 5: what happened to an experiment, why, and whether it is the quantization."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult

from quantdeck_console.model.incident import Incident
from quantdeck_console.model.incident_handover import handover
from quantdeck_console.model.incident_replay import WHY_NONE, replay_lines
from quantdeck_console.model.incident_timeline import Columns, Happened, entry_line, happened, matching, opened_lines
from quantdeck_console.model.incident_trends import trend_lines
from quantdeck_console.model.incident_view import VIEWS, View, all_lines, head_lines, section_line
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import EMPTY, Line, greyed, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.stories import Stories
from quantdeck_console.screens.subject_pane import SubjectPane
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Filter
from quantdeck_console.widgets.table import Table
from quantdeck_core.fleet.cells import plural, zone

_OFFER = "p asks them again, on both arms: is it the quantization, or upstream?"
_TALL = 32
"""Rows from which on two views fit at once."""
_FOUND: dict[View, int] = {"timeline": 7, "trends": 2, "replay": 2}
"""Lines of findings above each view; where two fit, the timeline is one of them."""
_CHART = 16
"""Rows of sparklines with their axis and their head."""


class IncidentScreen(SubjectPane):
    """Findings on top; below them the timeline, trends or the replay, and two of them where there is room."""

    NAME = "incident"
    BINDINGS = bindings_of("incident")
    DEFAULT_CSS = """
    IncidentScreen #top { width: 100%; }
    IncidentScreen #timeline { width: 100%; }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._view: View = "timeline"
        self._merged = False
        self._pattern = ""
        # The cursor follows the newest line until it was put on another one.
        self._chosen: Happened | None = None
        self._columns: Columns | None = None
        self._stories = Stories(self)

    def compose_content(self) -> ComposeResult:
        """Findings, timeline, the other views, the filter."""
        yield Lines(id="top")
        yield Table[Happened](id="timeline", cursor=self.deck.glyphs.cursor)
        yield from super().compose_content()
        yield Filter(self._filtered)

    def chosen(self) -> None:
        """Nothing of the experiment before stays."""
        self._stories.forget()
        self._chosen = None

    def place(self) -> str:
        """One host, or all gateways."""
        count = len(self._hosts())
        return f"{self.subject.experiment} on {plural(count, 'gateway')}" if count > 1 else super().place()

    def incident(self) -> Incident:
        """What is known now."""
        name, model = self.subject.experiment, self.deck.model
        gateways = tuple(model.fleet.running(name))
        return Incident(name=name, sides=self._stories.sides(name, self._hosts()), gateways=gateways, now=model.clock())

    def _hosts(self) -> list[str]:
        host, name = self.subject
        others = [view.name for view in self.deck.model.fleet.running(name) if view.name != host]
        return [host, *(others if self._merged else ())]

    def fill_body(self, top: list[Line], width: int, height: int) -> None:
        """Give each part its rows: a low screen has room for one view."""
        self._stories.follow(self.subject.experiment, self._hosts())
        incident = self.incident()
        tall = self.size.height >= _TALL
        head = [*top, *head_lines(incident, width, _FOUND["timeline" if tall else self._view]), EMPTY]
        every = happened(incident)
        rows = matching(every, self._pattern)
        room = height - len(head) - (not self.query_one(Filter).field.disabled)
        upper = 0
        if self._view == "timeline" or tall:
            upper = room if not tall else max(5, min(len(rows) + 1, room - 1 - _CHART))
        _set_height(self.query_one("#top", Lines), len(head))
        self.query_one("#top", Lines).show(head)
        self._fill_timeline(incident, rows, width, upper)
        body = self.query_one("#body", Lines)
        body.display = room > upper
        if body.display:
            body.show([*([EMPTY] if upper else []), *self._lower(incident, every, width)])

    def _fill_timeline(self, incident: Incident, rows: list[Happened], width: int, height: int) -> None:
        table = self.query_one("#timeline", Table)
        table.display = height > 0
        _set_height(table, height)
        extra = (f"{len(rows)} lines", f"/ {self._pattern}" if self._pattern else "", _local(incident))
        head = section_line("timeline", self._view, "   ".join(filter(None, extra)))
        columns = Columns.of(incident, rows)
        if columns != self._columns:  # equal rows look another way
            self._columns = columns
            table.refresh()
        index = next((at for at, one in enumerate(rows) if _same(one, self._chosen)), len(rows) - 1)
        table.fill(head, rows, partial(entry_line, columns=columns, width=width - 1), index)

    def _lower(self, incident: Incident, rows: list[Happened], width: int) -> list[Line]:
        """The view that needs no cursor; beside the timeline, the trends."""
        view: View = "replay" if self._view == "replay" else "trends"
        extra = (f"of {incident.own.view.name}" if incident.merged else "", _local(incident))
        head = section_line(view, self._view, "   ".join(filter(None, extra)))
        if view == "replay":
            why = self.refused("replay")
            offer = f"They cannot be asked again from here: {why}." if why else _OFFER
            return [head, *replay_lines(incident, width, offer)]
        story = incident.story
        if story is None:
            return [head, line(span(f" {incident.own.view.name} has told no figures yet", "dim"))]
        marked = [one.entry for one in rows if one.host == incident.own.view.name]
        lines = trend_lines(story, marked, width, self.deck.glyphs)
        return [head, *(greyed(lines) if incident.own.age_s(incident.now) is not None else lines)]

    def sentence(self) -> str:
        """What somebody else needs to know."""
        return handover(self.incident())

    def action_view(self) -> None:
        """The next one."""
        self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
        self._from_the_top()

    def action_open(self) -> None:
        """The line under the cursor, as it is then."""
        from quantdeck_console.screens.reader import Reader

        if self._view != "timeline":
            self._view = "timeline"
            self._from_the_top()
            return
        row = self.query_one("#timeline", Table).selected
        if row:
            self.app.push_screen(Reader(self.place(), lambda width: opened_lines(row, self.incident(), width)))

    def action_findings(self) -> None:
        """All of them."""
        from quantdeck_console.screens.reader import Reader

        self.app.push_screen(Reader(self.place(), lambda width: all_lines(self.incident(), width)))

    def action_merge(self) -> None:
        """All gateways, or this one."""
        if len(self.deck.model.fleet.running(self.subject.experiment)) < 2:
            self.deck.say(f"{self.subject.experiment} runs on no other gateway")
            return
        self._merged = not self._merged
        self.draw()

    def action_replay(self) -> None:
        """Ask whether both arms should answer again; without prompts say how to have some."""
        from quantdeck_console.screens.replay import ReplayDialog

        story, run = self.incident().story, self.deck.runs.replays.get(self.subject)
        running = run is not None and run.state.under_way
        if not running and story and story.report.flagged:
            self.app.push_screen(ReplayDialog(self.subject, story.report.flagged, self._replay))
            return
        self._view = "replay"
        self._from_the_top()
        if not story:
            self.deck.say("the agent has not told yet whether prompts are held")

    def _replay(self, most: int) -> None:
        from quantdeck_console.actions.replay import ReplayRun

        deck = self.deck
        deck.runs.replay(ReplayRun(deck.link, self.subject, most, by=deck.by, clock=deck.model.clock, ended=deck.say))
        self._view = "replay"
        self._from_the_top()

    def action_export(self) -> None:
        """Ask for a file's name."""
        self._export(words=False)

    def action_export_words(self) -> None:
        """As `export`, with what users wrote."""
        self._export(words=True)

    def _export(self, *, words: bool) -> None:
        from quantdeck_console.screens.export import ExportDialog

        reports = {side.view.name: side.report for side in self.incident().sides if side.report}
        if not reports:
            self.deck.say("nothing to export: the agent has not told what happened")
        elif words and not any(report.flagged for report in reports.values()):
            self.deck.say(WHY_NONE)
        else:
            self.app.push_screen(ExportDialog(self.subject.experiment, reports, words=words))

    def action_filter(self) -> None:
        """Ask for words, of the timeline."""
        self._view = "timeline"
        self.query_one(Filter).open(self._pattern)

    def action_back(self) -> None:
        """Without the filter; then to where this was opened from."""
        prompt = self.query_one(Filter)
        if not self._pattern and prompt.field.disabled:
            super().action_back()
            return
        prompt.close()
        self._filtered("")

    def _filtered(self, pattern: str) -> None:
        self._pattern = pattern
        self.draw()

    def _from_the_top(self) -> None:
        self.query_one("#body", Lines).scroll_lines(0)
        self.draw()

    def _scroll(self, lines: int) -> None:
        """Move the cursor of the timeline, or the lines of another view."""
        table = self.query_one("#timeline", Table)
        if self._view != "timeline":
            super()._scroll(lines)
            return
        table.move(table.cursor + lines)
        last = table.cursor == len(table.rows) - 1
        self._chosen = None if last else table.selected


def _same(one: Happened, chosen: Happened | None) -> bool:
    return chosen is not None and (one.host, one.entry) == (chosen.host, chosen.entry)


def _local(incident: Incident) -> str:
    """The zone of the clock, where it is not that of the findings."""
    local = zone(incident.now)
    return "" if local == "UTC" else local


def _set_height(widget: Lines, height: int) -> None:
    if widget.styles.height is None or widget.styles.height.value != height:
        widget.styles.height = height
