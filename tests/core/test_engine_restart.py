"""Fault 5: back-off, giving up, and a clean record after a stable time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.restart import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    STABLE_S,
    STARTS,
    WITHIN_S,
    Again,
    GiveUp,
    Restarts,
    decide,
    ended,
    started,
)


def crash(known: Restarts, began: float, up_s: float = 0.0) -> Restarts:
    return ended(started(known, began), up_s)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2000)), min_size=1, max_size=60))
def test_pauses_are_bounded_and_it_gives_up_on_five_starts_within_ten_seconds_alone(
    lives: list[tuple[float, float]],
) -> None:
    """Any life of an engine: seconds that each start takes, and for how long it was ready then."""
    known, now, starts, failures = Restarts(), 0.0, [], 0
    for load_s, up_s in lives:
        starts.append(now)
        known = started(known, now)
        now += load_s + up_s
        known = ended(known, up_s)
        failures = 1 if up_s >= STABLE_S else failures + 1
        decision = decide(known, now)
        quick = [one for one in starts[-STARTS:] if now - one <= WITHIN_S]
        assert isinstance(decision, GiveUp) == (failures >= STARTS and len(quick) == STARTS)
        if isinstance(decision, GiveUp):
            assert "5 starts within 10 s" in decision.reason
            return
        assert FIRST_PAUSE_S <= decision.pause_s <= LONGEST_PAUSE_S
        now += decision.pause_s


@given(st.integers(1, 5000), st.floats(20, 1e6))
def test_slow_crashes_back_off_to_five_minutes_and_never_give_up(failures: int, load_s: float) -> None:
    known = Restarts(starts=tuple(load_s * number for number in range(STARTS)), failures=failures)
    decision = decide(known, load_s * STARTS)
    assert isinstance(decision, Again)
    assert decision.pause_s == min(LONGEST_PAUSE_S, 0.1 * 2.0 ** min(failures - 1, 60))


def test_pauses_double() -> None:
    pauses, known, now = [], Restarts(), 0.0
    for _ in range(14):
        known = crash(known, now, 1.0)
        now += 60
        decision = decide(known, now)
        assert isinstance(decision, Again)
        pauses.append(round(decision.pause_s, 1))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 300.0, 300.0]


def test_the_fifth_quick_start_is_the_last() -> None:
    known, now = Restarts(), 100.0
    for number in range(1, STARTS + 1):
        known = crash(known, now)
        assert isinstance(decide(known, now + 0.5), GiveUp) == (number == STARTS)
        now += 1.0


def test_five_starts_in_a_little_more_than_ten_seconds_are_tried_again() -> None:
    known = Restarts()
    for number in range(STARTS):
        known = crash(known, number * 2.6)
    assert isinstance(decide(known, 4 * 2.6), Again)


@given(st.integers(0, 1000), st.floats(STABLE_S, 1e9))
def test_one_that_was_stable_starts_anew(failures: int, up_s: float) -> None:
    known = Restarts(starts=(1.0, 2.0, 3.0, 4.0, 5.0), failures=failures)
    assert decide(ended(known, up_s), 6.0) == Again(FIRST_PAUSE_S)
