"""Where an arm stands on the ladder of `admission`, and how fast its engines finish."""

from __future__ import annotations

from quantdeck_gateway.admission import Rung

CALM_S = 3.0
"""A rung is left, one at a time, when it was not needed for so long: an arm at its limit must not flap."""
_MEMORY = 32
"""Answers after which an older one counts a third in the mean."""


class Ladder:
    """The rung: up at once, down after some calm."""

    def __init__(self) -> None:
        self.rung = Rung.NORMAL
        self._needed_at = 0.0

    def needs(self, level: Rung, now: float) -> bool:
        """The load calls for a level now (seconds on any steady clock); whether the rung changed."""
        before = self.rung
        if level >= before:
            self.rung, self._needed_at = level, now
        elif now - self._needed_at >= CALM_S:
            self.rung, self._needed_at = Rung(before - 1), now
        return self.rung is not before


class ServiceRate:
    """How many requests a second an arm finishes while it is full.

    By Little's law that is what is in flight divided by the mean time that one takes. It is known before the first
    overload, and many answers that end at once, as batches do, do not fool it as they would a mean of the gaps.
    """

    def __init__(self) -> None:
        self._ended, self._seconds = 0, 0.0
        self._mean: float | None = None

    def observe(self, ended: int, seconds: float) -> None:
        """Take in the totals until now: answers that ended, and the seconds that they took together."""
        count, took = ended - self._ended, seconds - self._seconds
        self._ended, self._seconds = ended, seconds
        if count <= 0:
            return
        mean = took / count
        before = mean if self._mean is None else self._mean
        self._mean = before + (mean - before) * (1.0 - (1.0 - 1.0 / _MEMORY) ** count)

    def per_second(self, in_flight: int, stuck_s: float) -> float | None:
        """The rate; None before any answer ended.

        Args:
            stuck_s: since when nothing of it has ended although others wait: so long each takes at least.
        """
        if self._mean is None:
            return None
        return in_flight / max(self._mean, stuck_s, 1e-6)
