"""What the terminal shows, so that only the cells that differ are sent to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from quantdeck_console.widgets.columns import is_special

Cell = tuple[str, str]
"""A character and the SGR parameters that it is drawn with, without those of the default colours."""

_BLANK: Cell = (" ", "")
_PART = re.compile(r"[34]8;(?:5;\d+|2;\d+;\d+;\d+)|\d+")
_WORTH_A_MOVE = 5
"""Equal cells between two others: from so many on, a move of the cursor is shorter."""


class Shown:
    """The cells of the terminal, as far as they are known.

    A drawing of the whole screen is sent as a whole, whatever stood there: it mends what others have written.
    """

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell | None]] = {}

    def difference(self, update: RenderableType | None) -> RenderableType | None:
        """The same update, made smaller when it is rendered; what is none of the compositor's stays as it is."""
        if not isinstance(update, LayoutUpdate | ChopsUpdate):
            return update
        return cast("RenderableType", _Difference(update, self))  # as Textual takes its own

    def sequences(self, update: LayoutUpdate | ChopsUpdate, system: ColorSystem) -> str:
        """What to write, and remember it as written."""
        pen = _Pen()
        if isinstance(update, LayoutUpdate):
            self._rows.clear()
            for y, strips in enumerate(update.strips, update.region.y):
                row = self._row(y, update.region.right)
                self._draw(pen, row, y, update.region.x, Strip.join(list(strips)), system)
        else:
            for y in dict.fromkeys(y for y, _, _ in update.spans):
                row = self._row(y, update.chop_ends[y][-1])
                for x, strip in update.chops[y].items():
                    if strip is not None:
                        self._draw(pen, row, y, x, strip, system)
        return pen.end()

    def _row(self, y: int, width: int) -> list[Cell | None]:
        """What is known of a row; nothing where its width has changed."""
        if len(self._rows.get(y, ())) != width:
            self._rows[y] = [None] * width
        return self._rows[y]

    def _draw(self, pen: _Pen, row: list[Cell | None], y: int, x: int, strip: Strip, system: ColorSystem) -> None:
        new = [(char, code) for text, style, _ in strip for code in (_code(style, system),) for char in text]
        if not all(_one_cell(text) for text, _, _ in strip):
            # Terminals disagree on what takes two cells or none: such a row is sent as a whole, each time.
            row[x : x + strip.cell_length] = [None] * strip.cell_length
            pen.write(y, x, new)
            pen.lose_place()
            return
        new = new[: len(row) - x]
        for start, end in _differing(row[x : x + len(new)], new):
            pen.write(y, x + start, new[start:end], to_end=x + end == len(row))
        row[x : x + len(new)] = new


class _Difference(CompositorUpdate):
    """An update that knows what is shown."""

    def __init__(self, update: LayoutUpdate | ChopsUpdate, shown: Shown) -> None:
        self._update, self._shown = update, shown

    def render_segments(self, console: Console) -> str:
        return self._shown.sequences(self._update, console._color_system or ColorSystem.TRUECOLOR)


class _Pen:
    """Writes cells with as few moves and changes of style as it takes; it starts and ends without a style."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._code = ""
        self._place: tuple[int, int] | None = None

    def write(self, y: int, x: int, cells: list[Cell], *, to_end: bool = False) -> None:
        """Some cells of a row; `to_end`: nothing comes after them."""
        self._move(y, x)
        kept = len(cells)
        while to_end and kept and cells[kept - 1] == _BLANK:
            kept -= 1
        for char, code in cells[:kept]:
            self._style(code)
            self._parts.append(char)
        if kept < len(cells):
            self._style("")
            self._parts.append("\x1b[K")
        self._place = (y, x + kept)

    def lose_place(self) -> None:
        """After text that takes an unknown width."""
        self._place = None

    def end(self) -> str:
        """All of it."""
        self._style("")
        return "".join(self._parts)

    def _move(self, y: int, x: int) -> None:
        if self._place and self._place[0] == y and self._place[1] < x:
            self._parts.append(f"\x1b[{x - self._place[1]}C")
        else:
            self._parts.append(f"\x1b[{y + 1};{x + 1}H")

    def _style(self, code: str) -> None:
        if code != self._code:
            self._parts.append(f"\x1b[{_change(self._code, code)}m")
            self._code = code


def _differing(old: list[Cell | None], new: list[Cell]) -> Iterable[tuple[int, int]]:
    """Ranges of cells that differ, joined where a move would cost more than what lies between."""
    places = [x for x, cell in enumerate(new) if old[x] != cell]
    start = last = places[0] if places else 0
    for x in places:
        if x - last > _WORTH_A_MOVE:
            yield start, last + 1
            start = x
        last = x
    if places:
        yield start, last + 1


def _one_cell(text: str) -> bool:
    return text.isascii() or (not is_special(text) and all(get_character_cell_size(char) == 1 for char in text))


@lru_cache(maxsize=1024)
def _code(style: Style | None, system: ColorSystem) -> str:
    """A style's SGR parameters; the default colours go without saying."""
    code = Strip.render_ansi(style, system) if style else ""
    return ";".join(part for part in _PART.findall(code) if part not in ("39", "49"))


@lru_cache(maxsize=1024)
def _change(old: str, new: str) -> str:
    """The shorter way from one to the other: only what differs, or all of it after a reset."""
    before, after = dict.fromkeys(_PART.findall(old)), dict.fromkeys(_PART.findall(new))
    anew = f"0;{new}" if new else ""
    gone = {_default(part) for part in before if part not in after}
    if "" in gone:
        return anew
    came = [part for part in after if part not in before]
    gone -= {_default(part) for part in came}
    return min(anew, ";".join([*sorted(gone), *came]), key=len)


def _default(part: str) -> str:
    """What takes a colour back; nothing but a reset does that for an attribute."""
    number = int(part.partition(";")[0])
    if 30 <= number <= 38 or 90 <= number <= 97:
        return "39"
    return "49" if 40 <= number <= 48 or 100 <= number <= 107 else ""
