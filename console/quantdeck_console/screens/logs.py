"""The log view: one host's logs as they come, held while somebody reads."""

from __future__ import annotations

import asyncio
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from quantdeck_console.link.log_choice import chosen
from quantdeck_console.link.log_client import log_sources
from quantdeck_console.link.log_follow import HostLogs
from quantdeck_console.model.log_choices import EVERYTHING, LogChoice, after, choice_of, log_choices
from quantdeck_console.model.log_tail import LogRow, LogTail
from quantdeck_console.model.log_view import copied, log_head, log_line, nothing, source_width, whole_line
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import EMPTY, Line
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.pane import Pane
from quantdeck_console.screens.question import Question
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_console.widgets.table import Table
from quantdeck_console.widgets.work import begin
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.logs import LogSource

FIRST_LINES = 200
"""Of each log's end."""
MOST_A_DRAW = 5000
"""Lines that are taken between two drawings; what comes faster waits, and the agent counts what it leaves out."""
_SOURCES_EVERY_S = 5.0
_WHOLE = 3
"""Rows for the whole of the line under the cursor: always as many, so that the others stay where they are."""


class LogsScreen(Pane):
    """Opened on a host, or on one of its engines."""

    NAME = "logs"
    BINDINGS = bindings_of("logs")
    DEFAULT_CSS = """
    LogsScreen #banner, LogsScreen #whole { height: auto; width: 100%; }
    LogsScreen #rows { height: 1fr; width: 100%; }
    LogsScreen #filter { dock: bottom; offset-y: -1; display: none; }
    LogsScreen #filter.-open { display: block; }
    """

    def __init__(self, subject: Subject, engine: EngineStatus | None = None) -> None:
        super().__init__()
        self._subject = subject
        self._choice = choice_of(engine) if engine else EVERYTHING
        self._sources: Question[tuple[LogSource, ...]] = Question(self, "sources", _SOURCES_EVERY_S)
        self._tail = LogTail()
        self._pattern = ""
        self._cursor = 0
        """Number of the row under the cursor while the view is held."""
        self._taken = 0
        self._drawn = asyncio.Event()

    def compose_content(self) -> ComposeResult:
        """A rollback that waits, the rows, the whole of a long one, and the filter's prompt."""
        yield Lines(id="banner")
        yield Table[LogRow](id="rows", cursor=self.deck.glyphs.cursor)
        yield Lines(id="whole")
        yield Prompt(id="filter", label="/")

    @property
    def subject(self) -> Subject:
        """Whose logs."""
        return self._subject

    def opened(self) -> None:
        """Follow at once."""
        super().opened()
        self._sources.ask(self._subject.host, log_sources)
        self._follow_log()

    def rewound(self) -> None:
        """The log as it was then."""
        self._follow_log()

    def _follow_log(self) -> None:
        self._tail = LogTail()
        host = self._subject.host
        logs = HostLogs(host, partial(self.deck.link.ask, host), self._choice.wanted, FIRST_LINES, self._take)
        begin(self, logs.follow, group="log", exclusive=True)

    async def _take(self, lines: list[HostLine]) -> None:
        self._tail.add(lines)
        self._taken += len(lines)
        if self._taken >= MOST_A_DRAW:
            self._drawn.clear()
            await self._drawn.wait()

    def fill(self) -> None:
        """Show what there is; then more may come."""
        width = self.size.width
        rows = self._tail.rows(self._pattern)
        table = self.query_one("#rows", Table)
        self.frame(f"logs of {self._subject.host}")
        self.query_one("#banner", Lines).show(self.waiting(width))
        head = log_head(self._choice, self._choices(), self._tail, len(rows), self._pattern, width - 1)
        names = source_width(rows)
        table.fill(head, rows, partial(log_line, names=names), self._row_of_cursor(rows), look=names)
        self.query_one("#whole", Lines).show(self._below(rows, table.selected, width))
        self._taken = 0
        self._drawn.set()

    def _choices(self) -> list[LogChoice]:
        return log_choices(self._sources.asked.value or (), self._choice)

    def _row_of_cursor(self, rows: tuple[LogRow, ...]) -> int:
        """The cursor's row, or the first after it that is still there; the newest while it follows."""
        if not self._tail.held:
            return len(rows) - 1
        return next((at for at, row in enumerate(rows) if row.number >= self._cursor), len(rows) - 1)

    def _below(self, rows: tuple[LogRow, ...], selected: LogRow | None, width: int) -> list[Line]:
        if not rows:
            return [nothing(self._subject.host, self._choice, self._pattern, self._missing())]
        if selected is None or not self._tail.held:
            return []
        whole = whole_line(selected, width, _WHOLE)
        return [*whole, *[EMPTY] * (_WHOLE - len(whole))]

    def _missing(self) -> str:
        """Why nothing can come, where that is known."""
        asked = self._sources.asked
        if asked.error:
            return asked.error.detail
        if asked.value is not None and not chosen(self._choice.wanted, asked.value):
            return f"there is no log of {self._choice.label} on {self._subject.host}; Tab shows others"
        return "" if asked.value is not None else "asking which logs there are"

    def sentence(self) -> str:
        """The line under the cursor."""
        row = self.query_one("#rows", Table).selected
        return copied(self._subject.host, row) if row else ""

    def action_next_source(self) -> None:
        """Another log, from its end on."""
        self._choice = after(self._choice, self._choices())
        self._follow_log()
        self.draw()

    def action_follow(self) -> None:
        """The newest line, and on with it."""
        self._tail.follow()
        self.draw()

    def action_bottom(self) -> None:
        """As `f`."""
        self.action_follow()

    def action_top(self) -> None:
        """Hold, at the oldest line."""
        self._move(-len(self._tail.rows()))

    def action_up(self) -> None:
        """Hold, and one line up."""
        self._move(-1)

    def action_down(self) -> None:
        """One line down, where the view is held."""
        self._move(1)

    def action_page_up(self) -> None:
        """Hold, and a screen up."""
        self._move(2 - self.query_one("#rows", Table).size.height)

    def action_page_down(self) -> None:
        """A screen down."""
        self._move(self.query_one("#rows", Table).size.height - 2)

    def _move(self, by: int) -> None:
        if not self._tail.held:
            if by > 0:
                return
            self._tail.hold()
            self._cursor = self._last_number()
        rows = self._tail.rows(self._pattern)
        at = self._row_of_cursor(rows) + by
        if at >= len(rows) and self._tail.newer:
            self._tail.hold()  # on to what came meanwhile
            rows = self._tail.rows(self._pattern)
            at = self._row_of_cursor(rows) + by
        if rows:
            self._cursor = rows[max(0, min(at, len(rows) - 1))].number
        self.draw()

    def _last_number(self) -> int:
        rows = self._tail.rows(self._pattern)
        return rows[-1].number if rows else 0

    def action_filter(self) -> None:
        """Ask for words."""
        self.query_one(Prompt).open(self._pattern)

    def action_back(self) -> None:
        """Drop the filter; without one, back."""
        prompt = self.query_one(Prompt)
        if not self._pattern and not prompt.has_class("-open"):
            super().action_back()
            return
        self._pattern = ""
        prompt.close()
        self.draw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._pattern = event.value
        self.draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.query_one(Prompt).close()
