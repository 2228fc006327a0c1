"""Help, made from the registry."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.actions.registry import groups
from quantdeck_console.model.text import EMPTY, Line, Span, left, line, span
from quantdeck_console.screens.base import DeckScreen, TooSmall, bindings_of
from quantdeck_console.widgets.lines import Lines


class HelpScreen(DeckScreen):
    """All keys, those of the pane it was opened from first; dangerous ones are marked."""

    NAME = "help"
    BINDINGS = bindings_of("help")
    DEFAULT_CSS = """
    HelpScreen #keys { height: 1fr; }
    HelpScreen #header, HelpScreen #footer { height: 1; }
    """

    def __init__(self, pane: str) -> None:
        super().__init__()
        self._pane = pane

    def compose(self) -> ComposeResult:
        """A list that scrolls."""
        yield TooSmall()
        yield Lines(id="header")
        yield Lines(id="keys")
        yield Lines(id="footer")

    def fill(self) -> None:
        """Fill it."""
        self.query_one("#header", Lines).show([line(span(f" {self.deck.title}", "title"), "  keys")])
        self.query_one("#keys", Lines).show(self._keys())
        self.query_one("#footer", Lines).show([self.keys_line(self.size.width)])

    def _keys(self) -> list[Line]:
        lines: list[Line] = []
        for title, actions in groups(self._pane):
            lines += [EMPTY, line(span(f" {title}", "head"))]
            for action in (one for one in actions if self.deck.play or not one.playing):
                mark = Span("!", "warn") if action.dangerous else Span(" ")
                lines.append(
                    (
                        Span("  "), *left(action.shown, 6, "key"), mark, Span(" "),
                        *left(action.title, 12, "strong"), Span("  "), Span(action.help),
                    )
                )  # fmt: skip
        return [*lines[1:], EMPTY, line(" ", Span("!", "warn"), span(" changes traffic: not in --readonly", "dim"))]

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)

    def action_down(self) -> None:
        """One line down."""
        keys = self.query_one("#keys", Lines)
        keys.scroll_lines(keys.top + 1)

    def action_up(self) -> None:
        """One line up."""
        keys = self.query_one("#keys", Lines)
        keys.scroll_lines(keys.top - 1)
