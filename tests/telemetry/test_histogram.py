"""Percentiles of what came between two readings."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.histogram import CumulativeHistogram, HistogramWindow, histogram_of, quantile
from quantdeck_core.engines.latency import Latencies, LatencyWindow
from quantdeck_core.engines.metrics import EngineMetrics
from quantdeck_core.engines.reading import EngineWatch

BOUNDS = (0.1, 0.2, 0.4, 0.8, math.inf)


def of(*values: float) -> CumulativeHistogram:
    return CumulativeHistogram(BOUNDS, tuple(float(sum(value <= bound for value in values)) for bound in BOUNDS))


@pytest.mark.parametrize(
    ("counts", "q", "value"),
    [
        # As Prometheus' histogram_quantile: linear within the bucket.
        ((0, 10, 10, 10, 10), 0.5, 0.15),
        ((10, 10, 10, 10, 10), 0.5, 0.05),  # the first bucket begins at 0
        ((2, 4, 8, 10, 10), 0.5, 0.25),
        ((2, 4, 8, 10, 10), 0.95, 0.7),
        ((0, 0, 0, 0, 3), 0.5, 0.8),  # beyond the last bound that is finite
        ((0, 0, 0, 0, 0), 0.5, None),
    ],
)
def test_a_quantile(counts: tuple[float, ...], q: float, value: float | None) -> None:
    assert quantile(CumulativeHistogram(BOUNDS, counts), q) == (None if value is None else pytest.approx(value))


def test_a_histogram_without_bounds_has_no_quantile() -> None:
    assert quantile(CumulativeHistogram((math.inf,), (3.0,)), 0.5) is None
    assert histogram_of({}) is None


@given(st.lists(st.floats(0.001, 0.79), min_size=1), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], q: float) -> None:
    histogram = of(*values)
    found = quantile(histogram, q)
    true = sorted(values)[max(0, math.ceil(q * len(values)) - 1)]
    at = bisect_left(BOUNDS, true)
    assert found is not None
    assert (BOUNDS[at - 1] if at else 0) - 1e-9 <= found <= BOUNDS[at] + 1e-9


def test_a_window_sees_only_what_came_within_it() -> None:
    window: HistogramWindow[CumulativeHistogram] = HistogramWindow(span_s=60.0)
    old = of(*[0.7] * 1000)
    assert window.add(0.0, old) is None
    slow = of(*[0.7] * 1000, *[0.3] * 5)
    assert window.add(30.0, slow) == CumulativeHistogram(BOUNDS, (0, 0, 5, 5, 5))
    for second in range(31, 100):
        rise = window.add(float(second), slow)
    assert rise == CumulativeHistogram(BOUNDS, (0, 0, 0, 0, 0))


def test_a_window_begins_again_after_a_reset_a_gap_and_other_buckets() -> None:
    window: HistogramWindow[CumulativeHistogram] = HistogramWindow(span_s=60.0)
    window.add(0.0, of(0.3, 0.3))
    assert window.add(1.0, None) is None
    assert window.add(2.0, of(0.3, 0.3, 0.1)) == of(0.1)
    assert window.add(3.0, of(0.3)) is None  # the engine was started again
    assert window.add(4.0, of(0.3, 0.1)) == of(0.1)
    assert window.covers_s == 1.0
    assert window.add(500.0, of(0.3, 0.1, 0.1)) is None  # nothing was read for minutes
    assert window.covers_s == 0.0
    assert window.add(501.0, CumulativeHistogram((1.0, math.inf), (9.0, 9.0))) is None


@given(st.lists(st.tuples(st.floats(0.1, 20), st.lists(st.floats(0.01, 2), max_size=5)), min_size=2, max_size=40))
def test_a_window_counts_its_minute_and_little_more(steps: list[tuple[float, list[float]]]) -> None:
    window: HistogramWindow[CumulativeHistogram] = HistogramWindow(span_s=60.0)
    values: list[float] = []
    now = 0.0
    came: list[tuple[float, int]] = []
    for wait, more in steps:
        now += wait
        values += more
        came.append((now, len(more)))
        rise = window.add(now, of(*values))
        if rise is not None:
            assert rise.total <= sum(count for t, count in came if t > now - 60.0 - 25.0)
            if came[0][0] <= now - 60.0:
                assert rise.total >= sum(count for t, count in came if t > now - 60.0)
                assert window.covers_s >= 60.0


def test_percentiles_of_an_engine() -> None:
    window = LatencyWindow()
    assert window.add(0.0, EngineMetrics(ttft=of())) == Latencies()
    latencies = window.add(1.0, EngineMetrics(ttft=of(*[0.15] * 10)))
    assert latencies.ttft is not None
    assert (latencies.ttft.count, latencies.ttft.p50_ms, latencies.ttft.p95_ms) == (10, 150.0, 195.0)
    assert (latencies.itl, latencies.e2e, latencies.queue) == (None, None, None)
    assert window.add(2.0, EngineMetrics()) == Latencies()  # a scrape that failed says nothing


def test_an_engine_over_several_scrapes() -> None:
    watch = EngineWatch()
    watch.add(0.0, EngineMetrics(generated_tokens=100.0, prompt_tokens=10.0), None)
    reading = watch.add(2.0, EngineMetrics(generated_tokens=300.0, prompt_tokens=10.0), 77)
    assert (reading.tokens_per_s, reading.prompt_tokens_per_s, reading.rss_bytes) == (100.0, 0.0, 77)
    reading = watch.add(3.0, None, 77)
    assert (reading.tokens_per_s, reading.metrics) == (None, EngineMetrics())
