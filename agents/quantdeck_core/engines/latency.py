"""Percentiles of an engine's latencies over the last seconds."""

from __future__ import annotations

import msgspec

from quantdeck_core.engines.histogram import CumulativeHistogram, HistogramWindow, quantile
from quantdeck_core.engines.metrics import EngineMetrics


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, of `count` observations."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """None where nothing was observed in the window, or the engine does not count it.

    Attributes:
        ttft: time to first token.
        itl: time between two tokens.
        e2e: whole requests, queue included.
        queue: waiting for a place.
    """

    ttft: Percentiles | None = None
    itl: Percentiles | None = None
    e2e: Percentiles | None = None
    queue: Percentiles | None = None


_Window = HistogramWindow[CumulativeHistogram]


class LatencyWindow:
    """The windows of one engine."""

    def __init__(self, span_s: float = 60.0) -> None:
        self._ttft, self._itl, self._e2e, self._queue = (_Window(span_s) for _ in range(4))

    def add(self, now: float, metrics: EngineMetrics) -> Latencies:
        """A scrape at a monotonic time, seconds."""
        return Latencies(
            ttft=histogram_percentiles(self._ttft.add(now, metrics.ttft)),
            itl=histogram_percentiles(self._itl.add(now, metrics.itl)),
            e2e=histogram_percentiles(self._e2e.add(now, metrics.e2e)),
            queue=histogram_percentiles(self._queue.add(now, metrics.queue)),
        )


def histogram_percentiles(histogram: CumulativeHistogram | None) -> Percentiles | None:
    """As `quantile` has them; None where nothing was observed."""
    if histogram is None:
        return None
    p50, p95, p99 = (quantile(histogram, q) for q in (0.5, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return Percentiles(count=int(histogram.total), p50_ms=_ms(p50), p95_ms=_ms(p95), p99_ms=_ms(p99))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
