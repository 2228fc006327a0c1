"""Pane 2: one host, with a cursor over its engines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.link.history_client import history
from quantdeck_console.model.engine_table import worst_first
from quantdeck_console.model.engine_users import base_name
from quantdeck_console.model.host_pane import Answers, host_pane_lines, selected_engine
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Line
from quantdeck_console.model.trends import ASKED_EVERY_S, SPAN_S, STEP_S, series_of
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.form import Form, FormDialog
from quantdeck_console.screens.question import Question
from quantdeck_console.screens.subject_pane import SubjectPane
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.health import WORDS, health
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.protocol.history import HistoryAnswer

_ENGINE_EVERY_S = 10.0


class HostScreen(SubjectPane):
    """Its engines, its GPUs, the machine; keys act on the engine under the cursor."""

    NAME = "host"
    BINDINGS = bindings_of("host")

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        # The cursor stays with an engine once it was moved; until then it is on the worst one.
        self._chosen = ""
        self._asked_of = ""
        self._engine: Question[EngineDetail] = Question(self, "engine", _ENGINE_EVERY_S)
        self._history: Question[HistoryAnswer] = Question(self, "history", ASKED_EVERY_S)

    def opened(self) -> None:
        """Ask for what no event tells."""
        super().opened()
        self.chosen()

    def chosen(self) -> None:
        """Another host: nothing of the last one holds."""
        self._chosen = self._asked_of = ""
        self._history.ask(self.subject.host, self._read_history, anew=True)

    async def _read_history(self, client: DeckClient) -> HistoryAnswer:
        view = self.concerns()
        return await history(client, series_of(view.status) if view and view.status else (), SPAN_S, STEP_S)

    def place(self) -> str:
        """The host alone: what it runs stands below."""
        return self.subject.host

    @property
    def selected(self) -> EngineStatus | None:
        """The engine under the cursor."""
        view = self.concerns()
        return selected_engine(view.status, self._chosen) if view else None

    def body(self, width: int, height: int) -> list[Line]:
        """The host as it is now."""
        view = self.concerns()
        if view is None:
            return []
        answers = Answers(self._engine.asked, self._history.asked)
        now, glyphs = self.deck.model.clock(), self.deck.glyphs
        return host_pane_lines(view, now, width, height, glyphs, self._chosen, answers)

    def fill(self) -> None:
        """Show it, and ask about the engine that the cursor has come to."""
        engine = self.selected
        name = base_name(engine.name) if engine else ""
        if name != self._asked_of:
            self._asked_of = name
            if name:
                self._engine.ask(self.subject.host, lambda client: client.engine(name), anew=True)
        super().fill()
        self.query_one("#body", Lines).mark(self._cursor_row())

    def sentence(self) -> str:
        """The host's."""
        view = self.concerns()
        if view is None:
            return ""
        finding = health(view, self.deck.model.clock())
        return f"{view.name} {WORDS[finding.level]}: {finding.sentence}"

    def refused(self, action_id: str) -> str:
        """An engine is needed to do something with one."""
        if action_id in ("stop_engine", "restart_engine", "swap_engine") and self.selected is None:
            return "there is no engine here"
        return super().refused(action_id)

    def action_next_subject(self) -> None:
        """The next host, in the order of the fleet pane."""
        rows = self.deck.model.rows()
        at = next((place + 1 for place, row in enumerate(rows) if row.name == self.subject.host), 0)
        if rows:
            self.choose(self.deck.model.subject_of(rows[at % len(rows)]))

    def action_logs(self) -> None:
        """Follow the engine's log; the host's, where it has none."""
        from quantdeck_console.screens.logs import LogsScreen

        self.app.push_screen(LogsScreen(self.subject, self.selected))

    def action_stop_engine(self) -> None:
        """Ask for its name."""
        from quantdeck_console.screens.engine_change import stop_form

        self._open(stop_form)

    def action_restart_engine(self) -> None:
        """Ask whether."""
        from quantdeck_console.screens.engine_change import restart_form

        self._open(restart_form)

    def action_swap_engine(self) -> None:
        """Ask for its name: nobody is served by it meanwhile."""
        from quantdeck_console.screens.engine_change import restart_form

        self._open(partial(restart_form, swap=True))

    def _open(self, form: Callable[..., Form]) -> None:
        view, engine = self.concerns(), self.selected
        if view is None or engine is None:
            return
        if engine.hosts:
            self.deck.say(f"{engine.name} runs over {', '.join(engine.hosts)}: `quantdeck stop` asks all of them")
            return
        self.app.push_screen(FormDialog(form(self.deck, view.name, engine)))

    def action_down(self) -> None:
        """The next engine; after the last one, further down the page."""
        if not self._move(1):
            self._scroll(1)

    def action_up(self) -> None:
        """Back up the page to the cursor, then the engine before."""
        body = self.query_one("#body", Lines)
        if body.top > self._cursor_row() or not self._move(-1):
            self._scroll(-1)

    def action_page_down(self) -> None:
        """A screen further."""
        self._scroll(self.query_one("#body", Lines).size.height - 1)

    def action_page_up(self) -> None:
        """A screen back."""
        self._scroll(1 - self.query_one("#body", Lines).size.height)

    def _move(self, by: int) -> bool:
        """Put the cursor on another engine; whether there is one."""
        view = self.concerns()
        names = [engine.name for engine in worst_first(view.status.engines)] if view and view.status else []
        engine = self.selected
        at = names.index(engine.name) + by if engine else -1
        if not 0 <= at < len(names):
            return False
        self._chosen = names[at]
        self.draw()
        self.query_one("#body", Lines).reveal(self._cursor_row())
        return True

    def _cursor_row(self) -> int:
        """The line of the body that begins with the cursor; -1 without one."""
        glyph = self.deck.glyphs.cursor
        lines = self.query_one("#body", Lines).shown
        return next((row for row, line in enumerate(lines) if line and line[0].text == glyph), -1)
