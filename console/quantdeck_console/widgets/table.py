"""A list with a head and a cursor: fixed columns, equal rows are skipped, only visible ones are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual.geometry import Region
from textual.strip import Strip

from quantdeck_console.model.text import EMPTY, Line, Span
from quantdeck_console.widgets.lines import Lines

Row = TypeVar("Row")


class Table(Lines, Generic[Row]):
    """Rows of any frozen type, compared by value; `draw` makes a row's line only when it is visible."""

    def __init__(self, *, id: str | None = None, cursor: str) -> None:
        super().__init__(id=id)
        self._rows: tuple[Row, ...] = ()
        self._draw: Callable[[Row], Line] = lambda _row: EMPTY
        self._head: Line = EMPTY
        self._look: object = EMPTY
        self._glyph = cursor
        self._active = True
        self.cursor = 0

    @property
    def rows(self) -> tuple[Row, ...]:
        """What it was given last."""
        return self._rows

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    def fill(
        self, head: Line, rows: Sequence[Row], draw: Callable[[Row], Line], cursor: int, look: object = None
    ) -> None:
        """Replace head, rows and cursor; only what differs is repainted.

        Args:
            look: what equal rows look different by, e.g. the columns' widths; None: where the head is another.
        """
        old, old_cursor, old_top = self._rows, self.cursor, self._top
        head_changed, self._head = head != self._head, head
        look = head if look is None else look
        looks_changed, self._look = look != self._look, look
        self._rows, self._draw = tuple(rows), draw
        self.cursor = max(0, min(cursor, len(self._rows) - 1))
        self._follow()
        if looks_changed or old_top != self._top:
            self.refresh()
            return
        if head_changed:
            self.refresh(Region(0, 0, self.size.width, 1))
        for y in range(1, self.size.height):
            index = self._top + y - 1
            moved = (index == old_cursor) != (index == self.cursor)
            if moved or old[index : index + 1] != self._rows[index : index + 1]:
                self.refresh(Region(0, y, self.size.width, 1))

    def activate(self, active: bool) -> None:
        """Whether the arrows move here: of several lists one has the bright cursor."""
        if active != self._active:
            self._active = active
            self.refresh(Region(0, self.cursor - self._top + 1, self.size.width, 1))

    def move(self, cursor: int) -> None:
        """Put the cursor on a row."""
        self.fill(self._head, self._rows, self._draw, cursor, self._look)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._follow()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The head, then the visible rows."""
        if y == 0:
            return self.paint(self._head)
        index = self._top + y - 1
        if index >= len(self._rows):
            return self.paint(EMPTY)
        here = index == self.cursor
        mark = Span(self._glyph if here else " ", "key" if self._active else "dim")
        ground = "cursor" if here and self._active else ""
        return self.paint((mark, *self._draw(self._rows[index])), ground=ground)

    def _follow(self) -> None:
        visible = max(1, self.size.height - 1)
        last = max(0, len(self._rows) - visible)
        self._top = min(last, max(self.cursor - visible + 1, min(self._top, self.cursor)))
