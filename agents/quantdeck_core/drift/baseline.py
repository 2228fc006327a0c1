"""The control's share of something, remembered briefly and long: what a treatment beside it is measured against."""

from __future__ import annotations

import math

LONG_MEMORY = 3_000
"""Answers of the control that its baseline remembers; older ones fade."""
SHORT_MEMORY = 120
SHORT_MARGIN = 0.5
"""Standard errors by which the short memory must exceed the long one to lift the baseline."""


YOUNG = 2_000
"""Answers of a control below which its share is not known well; the error of a share near 0 is itself an estimate."""
YOUNG_MARGIN = 3.0
"""Standard errors that are given away for it, the fewer the more is known."""


class Stream:
    """How many answers of each arm a group of tests has heard: answers without a hit are only counted, and enter the
    statistics by a closed form when the next hit comes or the factors change."""

    __slots__ = ("control", "treatment")

    def __init__(self) -> None:
        self.control = 0
        self.treatment = 0


class _Memory:
    """An exponential memory of hits; its weight is a function of how many answers it has heard."""

    __slots__ = ("_at", "_keep", "hits")

    def __init__(self, answers: int) -> None:
        self._keep = 1.0 - 1.0 / answers
        self._at = 0
        self.hits = 0.0

    def hit(self, answers: int) -> None:
        self.hits = self.hits * self._keep ** (answers - self._at) + 1.0
        self._at = answers

    def share(self, answers: int) -> tuple[float, float]:
        """The share and its standard error."""
        if not answers:
            return 0.5, 1.0
        keep = self._keep
        weight = (1.0 - keep**answers) / (1.0 - keep)
        squares = (1.0 - keep ** (2 * answers)) / (1.0 - keep * keep)
        share = (self.hits * keep ** (answers - self._at) + 0.5) / (weight + 1.0)
        return share, math.sqrt(share * (1.0 - share) * squares) / weight


class ShareBaseline:
    """The control's share of something in a long and a short memory, both exponential."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._long = _Memory(LONG_MEMORY)
        self._short = _Memory(SHORT_MEMORY)

    def hit(self) -> None:
        """The control's last answer was one."""
        self._long.hit(self.stream.control)
        self._short.hit(self.stream.control)

    @property
    def share(self) -> float:
        """Of the long memory, pulled a little away from 0."""
        return self._long.share(self.stream.control)[0]

    def bounds(self, margins: tuple[float, ...], *, upper: bool) -> list[float]:
        """What the treatment is measured against, for margins in standard errors: the long memory's share and its
        margin, or the short memory's share where that has moved beyond it."""
        sign = 1.0 if upper else -1.0
        share, error = self._long.share(self.stream.control)
        moved, moved_error = self._short.share(self.stream.control)
        short = moved - sign * SHORT_MARGIN * moved_error
        best = max if upper else min
        young = YOUNG_MARGIN * max(0.0, 1.0 - self.stream.control / YOUNG)
        return [min(1.0, max(0.0, best(share + sign * (margin + young) * error, short))) for margin in margins]
