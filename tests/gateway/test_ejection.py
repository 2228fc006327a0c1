"""When a replica loses its users and when it gets them back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.ejection import (
    BUSY_DEADLINE_S,
    EJECTED_DEADLINE_S,
    FAILURES_IN_A_ROW,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    STEADY_S,
    Standing,
    answered,
    deadline_s,
    failed,
    is_failure,
    probe_due,
    probe_failed,
    probe_passed,
    proves_nothing,
)

EVENTS = st.lists(
    st.tuples(st.sampled_from(["failed", "answered", "passed", "missed"]), st.floats(0.0, 100.0)), max_size=80
)


def after(standing: Standing, event: str, now: float) -> Standing:
    if event == "failed":
        return failed(standing, "it broke off", now)
    if event == "answered":
        return answered(standing)
    return probe_passed(standing, now) if event == "passed" else probe_failed(standing, "no token", now)


def ejected(now: float = 0.0) -> Standing:
    return probe_failed(Standing(), "no token", now)


@given(EVENTS)
def test_out_by_failures_in_a_row_or_a_probe_and_back_by_a_probe_alone(events: list[tuple[str, float]]) -> None:
    standing, now, in_a_row, out, times = Standing(), 0.0, 0, False, 0
    for event, later in events:
        now += later
        standing = after(standing, event, now)
        if event == "passed":
            in_a_row, out = 0, False
        elif not out:
            in_a_row = in_a_row + 1 if event == "failed" else 0
            out = event == "missed" or in_a_row == FAILURES_IN_A_ROW
            times += out
        assert (standing.ejected, standing.ejections, bool(standing.reason)) == (out, times, out)
        assert FIRST_PAUSE_S <= standing.pause_s <= LONGEST_PAUSE_S
        assert bool(standing.failures) == (out or in_a_row > 0), "the fast path of a success looks at nothing else"
        if out:
            assert standing.probe_at <= now + LONGEST_PAUSE_S


def test_the_reason_names_the_last_failure() -> None:
    standing = Standing()
    for number in range(FAILURES_IN_A_ROW):
        standing = failed(standing, f"failure {number}", 0.0)
    assert standing.reason == "5 failures in a row, the last: failure 4"
    assert failed(standing, "another", 1.0) is standing, "what was in flight is not held against it again"


def test_the_pause_between_probes_grows_to_half_a_minute() -> None:
    standing, now, pauses = ejected(), 0.0, []
    for _ in range(8):
        pauses.append(standing.probe_at - now)
        now = standing.probe_at
        standing = probe_failed(standing, "no token", now)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_one_that_comes_and_goes_is_asked_less_often_until_it_was_steady() -> None:
    standing, now, pauses = Standing(), 0.0, []
    for steady_s in (1.0, 1.0, STEADY_S, 1.0):
        standing = probe_passed(probe_failed(standing, "no token", now), now + 1)
        pauses.append(standing.pause_s)
        now += 1 + steady_s
    assert pauses == [1, 2, 4, 1]


@pytest.mark.parametrize(
    ("counts", "statuses"), [(False, (200, 400, 404, 422, 429, 499, 501, 503)), (True, (500, 502, 504, 529))]
)
def test_what_counts_as_a_failure(counts: bool, statuses: tuple[int, ...]) -> None:
    assert {is_failure(status) for status in statuses} == {counts}


def test_an_idle_replica_costs_a_token_every_so_often_and_no_more() -> None:
    in_rotation = Standing()
    assert not probe_due(in_rotation, last_sign=100.0, every_s=10.0, now=109.9)
    assert probe_due(in_rotation, last_sign=100.0, every_s=10.0, now=110.0)
    assert not probe_due(in_rotation, last_sign=100.0, every_s=0.0, now=1e9)


@given(st.floats(0.0, 60.0), st.sampled_from([0.0, 10.0]))
def test_an_ejected_one_is_asked_whatever_the_option_says(now: float, every_s: float) -> None:
    assert probe_due(ejected(), last_sign=now, every_s=every_s, now=now) is (now >= FIRST_PAUSE_S)


def test_who_works_on_requests_has_more_time() -> None:
    assert deadline_s(Standing(), in_flight=1) == BUSY_DEADLINE_S > deadline_s(Standing(), in_flight=0)
    assert deadline_s(ejected(), in_flight=1) == EJECTED_DEADLINE_S < deadline_s(Standing(), in_flight=0)


@pytest.mark.parametrize(
    ("seen", "nothing"),
    [
        ({}, False),
        ({"lived": True}, True),
        ({"in_flight": 1}, False),
        ({"in_flight": 1, "last": True}, True),
        ({"last": True}, False),
        ({"refused": True}, False),
        ({"refused": True, "in_flight": 1}, True),
    ],
)
def test_a_probe_that_waits_behind_others_proves_nothing(seen: dict[str, int], nothing: bool) -> None:
    usual = {"refused": False, "lived": False, "in_flight": 0, "last": False}
    assert proves_nothing(Standing(), **{**usual, **seen}) is nothing  # type: ignore[arg-type]
    assert not proves_nothing(ejected(), **{**usual, **seen}), "an ejected one has to give its token"  # type: ignore[arg-type]
