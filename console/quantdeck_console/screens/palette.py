"""The palette: every action by name, and what the caller added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from quantdeck_console.actions.action import Action
from quantdeck_console.actions.extra import ExtraAction
from quantdeck_console.model.text import EMPTY, Line, Span, left
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_console.screens.pane import Pane
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_console.widgets.table import Table

_ROWS = 12


@dataclass(frozen=True)
class Entry:
    """One line of the palette."""

    title: str
    help: str
    shown: str
    does: Action | ExtraAction

    def matches(self, words: list[str]) -> bool:
        """Whether all words occur in it."""
        text = f"{self.title} {self.help}".casefold()
        return all(word in text for word in words)


class PaletteScreen(Dialog):
    """Type to narrow, arrows to choose, Enter to do."""

    NAME = "palette"
    BINDINGS = bindings_of("palette")
    DEFAULT_CSS = """
    PaletteScreen #entries { height: 13; width: 100%; background: transparent; }
    """

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self._pane = pane

    def title_text(self) -> str:
        """What it is."""
        return "do"

    def compose_content(self) -> ComposeResult:
        """A field and a list."""
        yield Prompt(id="words", label=":")
        yield Table[Entry](id="entries", cursor=self.deck.glyphs.cursor)

    def opened(self) -> None:
        """Type at once."""
        super().opened()
        self.query_one("#words", Prompt).field.focus()

    def entries(self) -> list[Entry]:
        """What can be done on the pane now: the caller's own first."""
        extras = [
            Entry(extra.title, extra.help, "", extra)
            for extra in self.deck.extra_actions
            if not (extra.dangerous and self.deck.why_readonly)
        ]
        own = [
            Entry(action.title, action.help, action.shown, action)
            for action in self._pane.actions()
            if action.palette and not self._pane.refused(action.id)
        ]
        words = self.query_one("#words", Prompt).value.casefold().split()
        return [entry for entry in (*extras, *own) if entry.matches(words)]

    def fill(self) -> None:
        """Fill the list."""
        table = self.query_one("#entries", Table)
        table.fill(EMPTY, self.entries(), _line, table.cursor)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one("#entries", Table).move(0)
        self.draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_choose()

    def action_choose(self) -> None:
        """Close, then do it on the pane."""
        entry: Entry | None = self.query_one("#entries", Table).selected
        if entry is None or self.too_small:
            return
        self.dismiss(None)
        if isinstance(entry.does, Action):
            self.app.call_later(partial(self._pane.run_action, entry.does.id))
        else:
            self.deck.run_extra(entry.does)

    def action_down(self) -> None:
        """Next."""
        table = self.query_one("#entries", Table)
        table.move(table.cursor + 1)

    def action_up(self) -> None:
        """Previous."""
        table = self.query_one("#entries", Table)
        table.move(table.cursor - 1)


def _line(entry: Entry) -> Line:
    title = min(36, max(16, len(entry.title)))
    return (
        *left(entry.title, title, "strong"), Span("  "), *left(entry.help, WIDTH - title - 11, "dim"), Span("  "),
        Span(entry.shown, "key"),
    )  # fmt: skip
