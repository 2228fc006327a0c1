"""Text over the whole screen, to read and to scroll."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult

from quantdeck_console.model.text import Line, line, span
from quantdeck_console.screens.base import DeckScreen, TooSmall, bindings_of
from quantdeck_console.widgets.lines import Lines


class Reader(DeckScreen):
    """Lines that are made anew for the width and for what is known now."""

    NAME = "reader"
    BINDINGS = bindings_of("reader")
    DEFAULT_CSS = """
    Reader #text { height: 1fr; }
    Reader #header, Reader #footer { height: 1; }
    """

    def __init__(self, title: str, lines: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """A list that scrolls."""
        yield TooSmall()
        yield Lines(id="header")
        yield Lines(id="text")
        yield Lines(id="footer")

    def fill(self) -> None:
        """Fill it."""
        self.query_one("#header", Lines).show([line(span(f" {self.deck.title}", "title"), f"  {self._title}")])
        self.query_one("#text", Lines).show(self._lines(self.size.width))
        self.query_one("#footer", Lines).show([self.keys_line(self.size.width)])

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)

    def action_down(self) -> None:
        """One line down."""
        self._scroll(1)

    def action_up(self) -> None:
        """One line up."""
        self._scroll(-1)

    def _scroll(self, lines: int) -> None:
        text = self.query_one("#text", Lines)
        text.scroll_lines(text.top + lines)
