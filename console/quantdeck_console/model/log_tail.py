"""The last lines of a log that is followed, and the view of them that is held while somebody reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from quantdeck_core.fleet.log_text import HostLine, remarks
from quantdeck_core.fleet.words import has_words
from quantdeck_core.text import clean

KEPT_LINES = 2_000
KEPT_TEXT = 2_000
"""Characters of a line; a flood of long ones must not fill the memory."""
_CUT = " [...]"


class LogRow(NamedTuple):
    """A line of a log, or what quantdeck says of it.

    Attributes:
        number: rises by one from row to row.
        remark: it stands in no log.
        t: UNIX time when it was written or read; None where that is not known.
    """

    number: int
    remark: bool
    source: str
    text: str
    t: float | None


class LogTail:
    """Bounded: the oldest go first, and a held view is as large at most."""

    def __init__(self, kept: int = KEPT_LINES) -> None:
        self._rows: deque[LogRow] = deque(maxlen=kept)
        self._held: tuple[LogRow, ...] | None = None
        self._next = 0

    def add(self, lines: Iterable[HostLine]) -> None:
        """What came, in its order."""
        for one in lines:
            source, t = one.source.removeprefix("engine:"), one.line.t if one.line else None
            for text in remarks(one):
                self._add(True, source, text, t)
            if one.line and one.line.text:
                self._add(False, source, one.line.text, t)

    def _add(self, remark: bool, source: str, text: str, t: float | None) -> None:
        cut = text if len(text) <= KEPT_TEXT else text[:KEPT_TEXT] + _CUT
        self._rows.append(LogRow(self._next, remark, clean(source, one_line=True), clean(cut, one_line=True), t))
        self._next += 1

    @property
    def held(self) -> bool:
        """Whether the view stands still."""
        return self._held is not None

    @property
    def newer(self) -> int:
        """Rows that came since the view was held."""
        return 0 if self._held is None else self._next - (self._held[-1].number + 1 if self._held else 0)

    def hold(self) -> None:
        """Let the view stand still as it is, or as it has become since it was held."""
        self._held = tuple(self._rows)

    def follow(self) -> None:
        """Let it go on."""
        self._held = None

    def rows(self, pattern: str = "") -> tuple[LogRow, ...]:
        """The view, oldest first: the rows that pass a filter."""
        rows = tuple(self._rows) if self._held is None else self._held
        return tuple(row for row in rows if has_words(f"{row.source} {row.text}", pattern)) if pattern.strip() else rows
