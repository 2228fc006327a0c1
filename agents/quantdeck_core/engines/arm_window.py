"""What one arm's histograms in the gateway counted lately, and since it counts."""

from __future__ import annotations

import itertools
import math

import msgspec

from quantdeck_core.engines.histogram import CumulativeHistogram, HistogramWindow
from quantdeck_core.engines.latency import histogram_percentiles
from quantdeck_core.protocol.distributions import RECENT_S, ArmDistributions, Counted, Cut, Distribution
from quantdeck_core.protocol.gateway import ArmCounters, Histogram


class ArmReading(msgspec.Struct, frozen=True):
    """Three histograms that were read together."""

    ttft: CumulativeHistogram
    itl: CumulativeHistogram
    e2e: CumulativeHistogram

    def since(self, before: ArmReading) -> ArmReading | None:
        """What came after an earlier reading; None where one of them is counted from zero again."""
        ttft, itl, e2e = self.ttft.since(before.ttft), self.itl.since(before.itl), self.e2e.since(before.e2e)
        return None if ttft is None or itl is None or e2e is None else ArmReading(ttft, itl, e2e)


def reading_of(counters: ArmCounters) -> ArmReading | None:
    """None where the gateway does not tell."""
    if counters.ttft is None or counters.itl is None or counters.e2e is None:
        return None
    return ArmReading(_cumulative(counters.ttft), _cumulative(counters.itl), _cumulative(counters.e2e))


class ArmWindow:
    """One arm; times are monotonic seconds."""

    def __init__(self) -> None:
        self._window: HistogramWindow[ArmReading] = HistogramWindow(RECENT_S)
        self._generation = 0
        self._cut: Cut = "agent"
        self._last: ArmReading | None = None
        self._recent: ArmReading | None = None

    def add(self, now: float, counters: ArmCounters) -> None:
        """What the gateway tells now."""
        reading, last = reading_of(counters), self._last
        if reading is None:
            return
        again = last is not None and reading.since(last) is None
        switched = last is not None and counters.generation != self._generation
        if switched:
            self._window = HistogramWindow(RECENT_S)
        self._generation, self._last = counters.generation, reading
        self._recent = self._window.add(now, reading)
        if self._recent is None:
            self._cut = "gateway" if again else "engine" if switched else "agent"

    def told(self) -> ArmDistributions | None:
        """As of the last reading; None before the first."""
        last, recent = self._last, self._recent
        if last is None:
            return None
        covers_s = self._window.covers_s
        return ArmDistributions(
            covers_s=round(covers_s, 1),
            cut=self._cut if covers_s < RECENT_S else "",
            ttft=_distribution(recent.ttft if recent else None, last.ttft),
            itl=_distribution(recent.itl if recent else None, last.itl),
            e2e=_distribution(recent.e2e if recent else None, last.e2e),
        )


def _cumulative(counts: Histogram) -> CumulativeHistogram:
    below = tuple(float(count) for count in itertools.accumulate(counts.counts))
    return CumulativeHistogram((*counts.bounds_s, math.inf), below, counts.total_s)


def _distribution(recent: CumulativeHistogram | None, whole: CumulativeHistogram) -> Distribution:
    nothing = Counted(counts=(0,) * len(whole.counts))
    return Distribution(
        bounds_s=whole.bounds[:-1], recent=_counted(recent) if recent else nothing, whole=_counted(whole)
    )


def _counted(histogram: CumulativeHistogram) -> Counted:
    counts = tuple(int(high - low) for low, high in itertools.pairwise((0.0, *histogram.counts)))
    return Counted(counts=counts, percentiles=histogram_percentiles(histogram))
