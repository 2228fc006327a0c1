"""As much of a terminal as says what stands in which cell, and how it looks."""

from __future__ import annotations

import codecs
import re

from rich.cells import get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<params>[0-9;:<=>?]*)[ -/]*(?P<final>[@-~])"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[P_^][^\x1b]*\x1b\\"  # DCS, APC, PM
    r"|\x1b(?P<cursor>[78])"
    r"|\x1b[ -/]*[0-~]"  # other escapes
    r"|(?P<control>[\x00-\x1a\x1c-\x1f])"
    r"|(?P<text>[^\x00-\x1f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:<=>?]*[ -/]*|\][^\x07\x1b]*\x1b?|[P_^][^\x1b]*\x1b?|[ -/]*)?\Z")
_SGR = re.compile(r"[34]8;(?:5;\d+|2;\d+;\d+;\d+)|\d+")

Look = frozenset[str]
"""SGR parameters in force; none of those that say a default."""


class Cells:
    """A grid that is written to; cursor moves, styles and erasing are understood, the rest is skipped."""

    def __init__(self, columns: int, rows: int) -> None:
        self._size = (columns, rows)
        self._blank()
        self._x = self._y = 0
        self._saved = (0, 0)
        self._look: Look = frozenset()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """What the program wrote, cut anywhere."""
        text = self._rest + self._decode(data)
        unfinished = _UNFINISHED.search(text)
        text, self._rest = (text[: unfinished.start()], unfinished.group()) if unfinished else (text, "")
        for token in _TOKEN.finditer(text):
            if token["text"]:
                self._write(token["text"])
            elif token["final"]:
                self._control(token["final"], token["params"])
            elif token["cursor"] == "7":
                self._saved = (self._x, self._y)
            elif token["cursor"]:
                self._x, self._y = self._saved
            elif token["control"] == "\r":
                self._x = 0
            elif token["control"] == "\n":
                self._y = min(self._y + 1, self._size[1] - 1)

    @property
    def lines(self) -> list[str]:
        """The text, row by row."""
        return ["".join(row) for row in self.text]

    def _blank(self) -> None:
        columns, rows = self._size
        self.text = [[" "] * columns for _ in range(rows)]
        self.looks: list[list[Look]] = [[frozenset()] * columns for _ in range(rows)]

    def _write(self, text: str) -> None:
        for char in text:
            width = get_character_cell_size(char)
            if width == 0:
                self.text[self._y][max(0, self._x - 1)] += char
            for cell in range(self._x, min(self._x + width, self._size[0])):
                self.text[self._y][cell] = char if cell == self._x else ""
                self.looks[self._y][cell] = self._look
            self._x += width

    def _control(self, final: str, params: str) -> None:
        columns, rows = self._size
        if final in "Hf":
            y, _, x = params.partition(";")
            self._y, self._x = min(int(y or 1), rows) - 1, min(int(x or 1), columns) - 1
        elif final == "C":
            self._x = min(self._x + int(params or 1), columns - 1)
        elif final == "K":
            self.text[self._y][self._x :] = [" "] * (columns - self._x)
            self.looks[self._y][self._x :] = [frozenset(part for part in self._look if _is_ground(part))] * (
                columns - self._x
            )
        elif final == "J" or (final, params) == ("h", "?1049"):
            self._blank()
        elif final == "m" and not params.startswith((">", "?")):
            self._look = _changed(self._look, params)


def _changed(look: Look, params: str) -> Look:
    for part in _SGR.findall(params) or ["0"]:
        if part == "0":
            look = frozenset()
        elif _is_ground(part) or part == "49":
            look = frozenset(one for one in look if not _is_ground(one)) | ({part} - {"49"})
        elif _is_colour(part) or part == "39":
            look = frozenset(one for one in look if not _is_colour(one)) | ({part} - {"39"})
        else:
            look |= {part}
    return look


def _is_ground(part: str) -> bool:
    number = int(part.partition(";")[0])
    return 40 <= number <= 48 or 100 <= number <= 107


def _is_colour(part: str) -> bool:
    number = int(part.partition(";")[0])
    return 30 <= number <= 38 or 90 <= number <= 97
