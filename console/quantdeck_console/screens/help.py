"""Help, made from the registry."""

from __future__ import annotations

from quantdeck_console.actions.registry import groups
from quantdeck_console.model.text import EMPTY, Line, Span, left, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.reader import Reader


class HelpScreen(Reader):
    """All keys, those of the pane it was opened from first; dangerous ones are marked."""

    NAME = "help"
    BINDINGS = bindings_of("help")

    def __init__(self, pane: str) -> None:
        super().__init__("keys", lambda _: help_lines(pane, playing=self.deck.play is not None))


def help_lines(pane: str, *, playing: bool) -> list[Line]:
    """A line for each action."""
    lines: list[Line] = []
    for title, actions in groups(pane):
        lines += [EMPTY, line(span(f" {title}", "head"))]
        for action in (one for one in actions if playing or not one.playing):
            mark = Span("!", "warn") if action.dangerous else Span(" ")
            lines.append(
                (
                    Span("  "), *left(action.shown, 6, "key"), mark, Span(" "),
                    *left(action.title, 12, "strong"), Span("  "), Span(action.help),
                )
            )  # fmt: skip
    return [*lines[1:], EMPTY, line(" ", Span("!", "warn"), span(" changes traffic: not in --readonly", "dim"))]
