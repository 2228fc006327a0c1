"""What an arm's histograms counted over the last minutes, and why it may be less."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.arm_window import ArmWindow
from quantdeck_core.protocol.distributions import RECENT_S, ArmDistributions
from quantdeck_core.protocol.gateway import ArmCounters, Histogram

BOUNDS = (0.1, 0.5, 1.0)


def counters(*values: float, generation: int = 1) -> ArmCounters:
    """As a gateway tells them that has counted these durations as each of the three."""
    counts = [0] * (len(BOUNDS) + 1)
    for value in values:
        counts[bisect_left(BOUNDS, value)] += 1
    histogram = Histogram(bounds_s=BOUNDS, counts=tuple(counts), total_s=sum(values))
    return ArmCounters(
        generation=generation,
        requests=len(values),
        errors=0,
        cancelled=0,
        in_flight=0,
        replicas=(),
        ttft=histogram,
        itl=histogram,
        e2e=histogram,
    )


def told(window: ArmWindow) -> ArmDistributions:
    found = window.told()
    assert found is not None
    return found


def recent(window: ArmWindow) -> tuple[int, ...]:
    return told(window).ttft.recent.counts


def test_nothing_is_told_before_the_gateway_was_read() -> None:
    window = ArmWindow()
    assert window.told() is None
    older = msgspec.structs.replace(counters(0.2), ttft=None, itl=None, e2e=None)
    window.add(0.0, older)  # a gateway of an earlier version
    assert window.told() is None


def test_what_came_lately_and_all_of_it() -> None:
    window = ArmWindow()
    window.add(0.0, counters(0.05, 0.05, 9.0))
    assert (recent(window), told(window).covers_s, told(window).cut) == ((0, 0, 0, 0), 0.0, "agent")
    window.add(60.0, counters(0.05, 0.05, 9.0, 0.2, 0.2, 0.9))
    found = told(window)
    assert found.e2e.bounds_s == BOUNDS
    assert (found.e2e.recent.counts, found.e2e.whole.counts) == ((0, 2, 1, 0), (2, 2, 1, 1))
    assert (found.covers_s, found.cut) == (60.0, "agent")
    assert found.itl.recent.percentiles
    assert found.itl.recent.percentiles.count == found.itl.recent.total == 3
    assert 100 < found.itl.recent.percentiles.p50_ms <= 500
    assert found.itl.whole.percentiles
    assert found.itl.whole.percentiles.p99_ms == 1000  # the last bound: the truth lies above it


def test_what_is_older_than_the_window_is_in_the_whole_only() -> None:
    window = ArmWindow()
    for second in range(0, 700, 5):
        window.add(float(second), counters(*[0.2] * 10, *([0.9] if second > 200 else [])))
    found = told(window)
    assert (found.ttft.recent.counts, found.ttft.whole.counts) == ((0, 0, 0, 0), (0, 10, 1, 0))
    assert found.ttft.recent.percentiles is None
    assert RECENT_S <= found.covers_s <= RECENT_S * 13 / 12 + 5
    assert found.cut == ""


def test_a_gateway_that_counts_anew_is_said() -> None:
    window = ArmWindow()
    window.add(0.0, counters(0.2))
    window.add(400.0, counters(0.2, 0.2))
    window.add(401.0, counters())
    window.add(411.0, counters(0.9))
    found = told(window)
    assert (found.covers_s, found.cut, recent(window)) == (10.0, "gateway", (0, 0, 1, 0))
    assert found.ttft.whole.counts == (0, 0, 1, 0)


def test_another_engine_begins_the_window_anew_and_not_the_whole() -> None:
    window = ArmWindow()
    window.add(0.0, counters(generation=1))
    window.add(10.0, counters(0.9, 0.9, generation=1))
    window.add(11.0, counters(0.9, 0.9, 0.9, generation=2))
    window.add(14.0, counters(0.9, 0.9, 0.9, 0.2, generation=2))
    found = told(window)
    assert (found.covers_s, found.cut, recent(window)) == (3.0, "engine", (0, 1, 0, 0))
    assert found.ttft.whole.counts == (0, 1, 3, 0)


def test_after_minutes_in_which_nothing_was_read_it_is_another_window() -> None:
    window = ArmWindow()
    window.add(0.0, counters(generation=1))
    window.add(1.0, counters(generation=2))
    window.add(1000.0, counters(*[0.2] * 50, generation=2))
    window.add(1001.0, counters(*[0.2] * 51, generation=2))
    assert (told(window).covers_s, told(window).cut, recent(window)) == (1.0, "agent", (0, 1, 0, 0))


@given(st.lists(st.lists(st.floats(0.01, 2.0), max_size=4), min_size=2, max_size=30))
def test_within_the_window_nothing_is_lost_and_nothing_twice(steps: Sequence[Sequence[float]]) -> None:
    window, values = ArmWindow(), list[float]()
    for second, more in enumerate(steps):
        values += more
        window.add(float(second), counters(*values))
    found = told(window)
    assert found.ttft.whole.total == len(values)
    assert found.ttft.recent.total == len(values) - len(steps[0])
    assert found.covers_s == len(steps) - 1
