"""Lines of toned text that repaint only where they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from quantdeck_console.model.text import EMPTY, Line
from quantdeck_core.text import clean

if TYPE_CHECKING:
    from quantdeck_console.app import DeckApp


class Lines(Widget):
    """Draws lines as they are: no markup, no control characters, no wrapping, no scrollbars."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._top = 0
        self._marked = -1

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; equal ones send nothing to the terminal."""
        old, self._lines = self._lines, tuple(lines)
        if len(old) != len(self._lines) and self.styles.is_auto_height:
            self.refresh(layout=True)
            return
        if self._top > self.last_top:  # there is less than before: every row shows another line
            self._top = self.last_top
            self.refresh()
            return
        for y in range(self.size.height):
            index = self._top + y
            if _at(old, index) != _at(self._lines, index):
                self.refresh(Region(0, y, self.size.width, 1))

    @property
    def shown(self) -> tuple[Line, ...]:
        """What it was given last."""
        return self._lines

    @property
    def last_top(self) -> int:
        """The highest line that may stand at the top."""
        return max(0, len(self._lines) - self.size.height)

    def scroll_lines(self, top: int) -> None:
        """Put a line at the top, as far as there are enough below it."""
        top = max(0, min(self.last_top, top))
        if top != self._top:
            self._top = top
            self.refresh()

    def mark(self, index: int) -> None:
        """Give one line the cursor's ground; -1: none."""
        if index != self._marked:
            before, self._marked = self._marked, index
            for y in (before - self._top, index - self._top):
                if 0 <= y < self.size.height:
                    self.refresh(Region(0, y, self.size.width, 1))

    def reveal(self, index: int) -> None:
        """Scroll no further than it takes to see a line."""
        self.scroll_lines(min(index, max(self._top, index - self.size.height + 1)))

    @property
    def top(self) -> int:
        """The line at the top."""
        return self._top

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as lines, where the style leaves it open."""
        del container, viewport, width
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """One terminal line."""
        index = self._top + y
        return self.paint(_at(self._lines, index), ground="cursor" if index == self._marked else "")

    def paint(self, line: Line, ground: str = "") -> Strip:
        """A line in this widget's width; `ground` is a tone below all others."""
        tones = cast("DeckApp", self.app).tones
        base = self.rich_style
        if ground:
            base += tones[ground]
        segments = [Segment(clean(part.text, one_line=True), base + tones[part.tone]) for part in line if part.text]
        return Strip(segments).adjust_cell_length(self.size.width, base).simplify()


def _at(lines: tuple[Line, ...], index: int) -> Line:
    return lines[index] if index < len(lines) else EMPTY
