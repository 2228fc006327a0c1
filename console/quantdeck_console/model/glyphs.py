"""The few characters that draw something, in Unicode and in ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Glyphs(NamedTuple):
    """A set of drawing characters, each one cell wide.

    Attributes:
        levels: for sparklines, lowest first.
        block, parts: for plots: a whole cell, and what fills less of it from the left, least first.
    """

    full: str
    empty: str
    levels: str
    cursor: str
    rule: str
    block: str
    parts: str

    def bar(self, used: float, total: float, width: int) -> tuple[str, str]:
        """The filled and the empty part; a little use shows as one cell."""
        share = min(1.0, max(0.0, used / total)) if total > 0 else 0.0
        filled = max(round(share * width), 1 if share > 0 else 0)
        return self.full * filled, self.empty * (width - filled)

    def plot(self, share: float, width: int) -> str:
        """A bar that fills a share of a width, as finely as the characters allow; a little shows as the least part."""
        steps = len(self.parts) + 1
        filled = max(round(min(1.0, share) * width * steps), 1) if share > 0 and width > 0 else 0
        whole, part = divmod(filled, steps)
        return self.block * whole + (self.parts[part - 1] if part else "")

    def sparkline(self, values: Sequence[float | None], top: float, width: int) -> str:
        """The newest values that fit; a blank where nothing was measured."""
        steps = len(self.levels) - 1
        return "".join(
            " " if value is None else self.levels[min(steps, round(max(0.0, value) / top * steps)) if top > 0 else 0]
            for value in values[-width:]
        )


UNICODE = Glyphs(full="■", empty="·", levels="▁▂▃▄▅▆▇█", cursor="▌", rule="─", block="█", parts="▏▎▍▌▋▊▉")
ASCII = Glyphs(full="#", empty=".", levels="_.:-=+*#", cursor=">", rule="-", block="#", parts="")
