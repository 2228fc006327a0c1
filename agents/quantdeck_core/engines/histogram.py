"""Cumulative histograms as Prometheus counts them, and percentiles from what came between two readings."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import deque
from typing import Generic, Protocol, Self, TypeVar

import msgspec


class CumulativeHistogram(msgspec.Struct, frozen=True):
    """Observations since the engine started.

    Attributes:
        bounds: upper bounds, rising, the last one infinite.
        counts: observations at or below each bound.
        sum: of all observations; None where it is not told.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    sum: float | None = None

    @property
    def total(self) -> float:
        """All observations."""
        return self.counts[-1]

    def since(self, before: CumulativeHistogram) -> CumulativeHistogram | None:
        """What came after an earlier reading; None where the engine counts from zero again or in other buckets."""
        if self.bounds != before.bounds:
            return None
        rise = tuple(now - then for now, then in zip(self.counts, before.counts, strict=True))
        return None if min(rise) < 0 else CumulativeHistogram(self.bounds, rise)


def histogram_of(by_bound: dict[float, float], total: float | None = None) -> CumulativeHistogram | None:
    """From counts by upper bound in any order; None where they are no cumulative histogram."""
    bounds = tuple(sorted(by_bound))
    counts = tuple(by_bound[bound] for bound in bounds)
    if not bounds or bounds[-1] != math.inf or any(a > b for a, b in itertools.pairwise(counts)):
        return None
    return CumulativeHistogram(bounds, counts, total)


def quantile(histogram: CumulativeHistogram, q: float) -> float | None:
    """As Prometheus' `histogram_quantile`: linear within a bucket, which begins at 0 where it is the first.

    Beyond the last finite bound it is that bound: the truth lies above it. None without an observation.

    Args:
        q: 0 to 1.
    """
    bounds, counts = histogram.bounds, histogram.counts
    total = histogram.total
    if total <= 0 or len(bounds) < 2:
        return None
    rank = q * total
    at = bisect_left(counts, rank)
    if at >= len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    low, below = (0.0, 0.0) if at == 0 else (bounds[at - 1], counts[at - 1])
    inside = counts[at] - below
    return bounds[at] if inside <= 0 else low + (bounds[at] - low) * (rank - below) / inside


class Reading(Protocol):
    """One histogram, or some that are read together."""

    def since(self, before: Self) -> Self | None:
        """What came after an earlier reading; None where it is counted from zero again."""


R = TypeVar("R", bound=Reading)


class HistogramWindow(Generic[R]):
    """What cumulative histograms counted over the last seconds.

    Args:
        span_s: how far back it looks; the window is up to a twelfth longer, since not every reading is kept.
    """

    def __init__(self, span_s: float = 60.0) -> None:
        self._span_s = span_s
        self._kept: deque[tuple[float, R]] = deque()
        self._last: R | None = None
        self.covers_s = 0.0
        """Seconds that the last answer of `add` is of."""

    def add(self, now: float, reading: R | None) -> R | None:
        """A reading at a monotonic time, seconds; None until there are two, where it is missing, or after a reset."""
        if reading is None:
            return None
        if self._last is not None and reading.since(self._last) is None:
            self._kept.clear()
        self._last = reading
        while len(self._kept) > 1 and self._kept[1][0] <= now - self._span_s:
            self._kept.popleft()
        while self._kept and self._kept[0][0] < now - self._span_s * 1.5:
            self._kept.popleft()  # nothing was read for long: that is another window
        rise = reading.since(self._kept[0][1]) if self._kept else None
        self.covers_s = now - self._kept[0][0] if self._kept else 0.0
        if not self._kept or now - self._kept[-1][0] >= self._span_s / 12:
            self._kept.append((now, reading))
        return rise
