"""Lines of toned text: what every pane, dialog and plain output is made of.

A span says what it means (`warn`, `dim`), never which colour that is: the TUI maps tones to styles, plain output drops
them. Text is cleaned when a span is made and has no markup, so hosts and models cannot draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

from quantdeck_core.fleet.health import WORDS, Level
from quantdeck_core.text import clean

Tone = Literal["", "dim", "strong", "ok", "warn", "fail", "stale", "key", "head", "title"]

TONES: dict[Level, Tone] = {"ok": "ok", "warn": "warn", "fail": "fail", "stale": "stale", "connecting": "dim"}
"""Of a status word."""
TEXT_TONES: dict[Level, Tone] = {**TONES, "fail": "warn"}
"""Of the sentence that goes with it: the loudest tone is for the word alone."""


class Span(NamedTuple):
    """Some text of one tone, on one line."""

    text: str
    tone: Tone = ""


Line = tuple[Span, ...]


def span(text: str, tone: Tone = "") -> Span:
    """Cleaned text."""
    return Span(clean(text, one_line=True), tone)


def line(*parts: str | Span) -> Line:
    """A line of plain and toned parts."""
    return tuple(part if isinstance(part, Span) else span(part) for part in parts)


EMPTY: Line = ()


def status(level: Level) -> Span:
    """Word, glyph and tone of a status."""
    return Span(WORDS[level], TONES[level])


def greyed(lines: Iterable[Line]) -> list[Line]:
    """As what is old is shown."""
    return [tuple(Span(part.text, "stale") for part in one) for one in lines]


def width_of(parts: Iterable[Span]) -> int:
    """Terminal cells that a line takes."""
    return sum(cell_len(part.text) for part in parts)


def plain(parts: Iterable[Span]) -> str:
    """Without tones and trailing blanks; cleaned again, since this is where plain text leaves."""
    return clean("".join(part.text for part in parts), one_line=True).rstrip()


def fit(text: str, width: int, ellipsis: str = "~") -> str:
    """Cleaned and cut to a width, with a mark where something is missing."""
    text = clean(text, one_line=True)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - cell_len(ellipsis)).rstrip() + ellipsis if width > 1 else text[:width]


def left(text: str, width: int, tone: Tone = "") -> tuple[Span, ...]:
    """Fitted to a column and padded outside the tone, so that a coloured ground ends with its word."""
    cut = fit(text, width)
    return (Span(cut, tone), Span(" " * (width - cell_len(cut))))


def right(text: str, width: int, tone: Tone = "") -> tuple[Span, ...]:
    """As `left`, against the right edge."""
    return tuple(reversed(left(text, width, tone)))


def ends(start: Line, end: Line, width: int) -> Line:
    """One part at the left edge, one at the right; the left one gives way."""
    room = width - width_of(end)
    used, kept = 0, []
    for part in start:
        if used >= room - 1:
            break
        text = fit(part.text, room - 1 - used)
        kept.append(Span(text, part.tone))
        used += cell_len(text)
    return (*kept, Span(" " * max(0, room - used)), *end)


def beside(columns: Sequence[Sequence[Line]], width: int) -> list[Line]:
    """Columns of lines side by side, each of them so wide."""
    joined = []
    for row in zip_longest(*columns, fillvalue=EMPTY):
        parts: list[Span] = []
        for one in row:
            parts += (*one, Span(" " * max(0, width - width_of(one))))
        joined.append(tuple(parts))
    return joined


def wrap(text: str, width: int) -> list[str]:
    """Words on as many lines as needed; a word that is too long is cut into pieces."""
    lines: list[str] = []
    current = ""
    for word in clean(text, one_line=True).strip().split(" "):
        joined = f"{current} {word}" if current else word
        if cell_len(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current.rstrip())
        while cell_len(word) > width:
            piece = set_cell_size(word, width).rstrip()
            lines.append(piece)
            word = word[len(piece) :]
        current = word
    return [*lines, current] if current else lines


def wrapped(text: str, width: int, tone: Tone = "", indent: str = " ", most: int = 0) -> list[Line]:
    """Indented lines of wrapped text, at most that many: the last one then says that it is cut."""
    pieces = wrap(text, max(1, width - 2 * len(indent)))
    if most and len(pieces) > most:
        pieces[most - 1] = fit(" ".join(pieces[most - 1 :]), max(2, width - 2 * len(indent)))
        pieces = pieces[:most]
    return [(Span(indent), Span(piece, tone)) for piece in pieces]


def flowed(parts: Iterable[Span], width: int, indent: str) -> list[Line]:
    """Spans one after the other, on as many indented lines as needed; one that is too long is cut."""
    lines: list[list[Span]] = []
    room = 0
    for part in parts:
        text = fit(part.text, width - len(indent) - 1)
        if not lines or cell_len(text) + 2 > room:
            lines.append([Span(indent)])
            room = width - len(indent) - 1
        else:
            lines[-1].append(Span("  "))
            room -= 2
        lines[-1].append(Span(text, part.tone))
        room -= cell_len(text)
    return [tuple(one) for one in lines]
