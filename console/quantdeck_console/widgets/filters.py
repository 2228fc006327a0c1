"""What every segment passes before it is sent, whichever widget drew it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from quantdeck_console.terminal import Display
from quantdeck_core.text import clean


class Harmless(LineFilter):
    """No control characters: what a widget forgot to clean, and what was pasted into a field."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Text that is clean already stays the same object."""
        del background
        if all(text.isascii() and text.isprintable() for text, _, _ in segments):
            return segments
        return [Segment(clean(text, one_line=True), style, control) for text, style, control in segments]


class WithoutColour(LineFilter):
    """Bold, dim, italic, underlined and reversed stay; not even a code for the default colour is sent."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Styles without foreground and background."""
        del background
        return [Segment(text, style and _without_colour(style), control) for text, style, control in segments]


class OnlyAscii(LineFilter):
    """For terminals that would show anything else as something else, or in another width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """As many cells as before."""
        del background
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


def filters_of(display: Display) -> tuple[LineFilter, ...]:
    """What is sent to such a terminal passes these, in this order."""
    wanted = ((Harmless, True), (WithoutColour, display.colour == "none"), (OnlyAscii, display.ascii))
    return tuple(kind() for kind, on in wanted if on)


def to_ascii(text: str) -> str:
    """Letters without their accents, and a question mark in each cell of what has no such letter."""
    if text.isascii():
        return text
    spans, _ = split_graphemes(text)
    return "".join(_ascii_cells(text[start:end], width) for start, end, width in spans)


def _ascii_cells(grapheme: str, width: int) -> str:
    if grapheme.isspace():
        return " " * width
    letters = "".join(char for char in unicodedata.normalize("NFKD", grapheme) if char.isascii() and char.isprintable())
    return letters if len(letters) == width else "?" * width


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    return style.without_color
