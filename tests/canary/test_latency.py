"""Latency profiles: figures and SLOs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.canary.latency import LatencyProfile, Timing, level, percentiles, requests_at, slo_breaches

GOOD = Timing(ttft_ms=100.0, gaps_ms=(10.0, 20.0), e2e_ms=130.0, tokens=3)


def profile(*levels: tuple[int, list[Timing]]) -> LatencyProfile:
    made = tuple(level(at_once, timings, 2.0) for at_once, timings in levels)
    return LatencyProfile(variant="treatment", engine="t.1", epoch=1, at=5.0, levels=made)


def test_a_level_sums_up_what_was_answered() -> None:
    one = level(2, [GOOD, GOOD, Timing(error="HTTP 500")], 2.0)
    assert (one.requests, one.errors, one.tokens_per_s) == (2, 1, 3.0)
    assert one.ttft
    assert one.itl
    assert one.e2e
    assert (one.ttft.p50_ms, one.itl.count, one.itl.p95_ms, one.e2e.p99_ms) == (100.0, 4, 20.0, 130.0)


def test_a_level_without_answers_has_no_figures() -> None:
    one = level(1, [Timing(error="late")], 1.0)
    assert (one.ttft, one.itl, one.e2e, one.errors) == (None, None, None, 1)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_that_were_measured(values: list[float]) -> None:
    found = percentiles(values)
    assert found
    shown = {round(value, 2) for value in values}
    assert {found.p50_ms, found.p95_ms, found.p99_ms} <= shown
    assert found.p50_ms <= found.p95_ms <= found.p99_ms <= max(shown)
    assert sum(round(value, 2) <= found.p95_ms for value in values) >= 0.95 * len(values)


def test_an_slo_is_kept_or_said_to_be_broken_where() -> None:
    slow = Timing(ttft_ms=900.0, gaps_ms=(90.0,), e2e_ms=990.0, tokens=2)
    measured = profile((1, [GOOD]), (8, [slow]))
    assert slo_breaches(measured) == ()
    assert slo_breaches(measured, ttft_p95_ms=900.0, itl_p95_ms=90.0, e2e_p95_ms=990.0) == ()
    assert slo_breaches(measured, ttft_p95_ms=500.0) == ("p95 first token is 900 ms at 8 at once (limit 500 ms)",)
    assert slo_breaches(measured, ttft_p95_ms=500.0, concurrency=4) == ()
    assert len(slo_breaches(measured, ttft_p95_ms=50.0, itl_p95_ms=1.0, e2e_p95_ms=1.0)) == 6


def test_failures_break_every_slo_and_nothing_measured_is_no_profile() -> None:
    failed = profile((1, [GOOD, Timing(error="late")]))
    assert slo_breaches(failed) == ("1 requests failed at 1 at once",)
    assert slo_breaches(profile()) == ("nothing was measured",)
    assert profile((1, [GOOD])).complete
    assert not failed.complete
    assert not profile().complete


@pytest.mark.parametrize(("at_once", "requests"), [(1, 16), (4, 16), (8, 32)])
def test_each_level_has_rounds_enough(at_once: int, requests: int) -> None:
    assert requests_at(at_once) == requests
