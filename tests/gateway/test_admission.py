"""Every rung of the overload ladder, as pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.protocol.gateway import Limits, Priority
from quantdeck_gateway.admission import Admit, Decision, Load, Rung, Shed, Wait, cap_of, decide, level_of
from quantdeck_gateway.ladder import CALM_S, Ladder, ServiceRate
from quantdeck_gateway.limits import MIB

LIMITS = Limits(max_in_flight=8, max_queue=100, queue_s=10.0, cap_tokens=64, spill=True)
FULL = Load(in_flight=8, room=8)
priorities = st.sampled_from(("high", "normal", "low"))


def arrives(
    load: Load,
    limits: Limits = LIMITS,
    priority: Priority = "normal",
    *,
    size: int = 1000,
    rung: Rung = Rung.NORMAL,
    spill_open: bool = False,
) -> Decision:
    return decide(load, limits, priority, size, rung, spill_open)


def test_with_room_it_goes_on() -> None:
    assert arrives(Load(in_flight=7, room=8)) == Admit(cap=None)


def test_without_room_it_waits() -> None:
    assert arrives(FULL) == Wait()


def test_nobody_overtakes_those_who_wait() -> None:
    assert arrives(Load(in_flight=7, room=8, waiting=(0, 1, 0))) == Wait()


def test_on_the_cap_rung_answers_are_cut_where_the_limits_say_so() -> None:
    assert arrives(Load(in_flight=1, room=8), rung=Rung.CAP) == Admit(cap=64)
    assert arrives(Load(in_flight=1, room=8), rung=Rung.QUEUE) == Admit(cap=None)
    assert arrives(Load(in_flight=1, room=8), Limits(), rung=Rung.SHED) == Admit(cap=None)


def test_users_are_spilled_from_half_of_the_queue_on_and_only_where_that_is_open() -> None:
    half = FULL._replace(waiting=(0, 50, 0))
    assert arrives(half, spill_open=True) == Admit(cap=64, spilled=True)
    assert arrives(half, spill_open=False) == Wait()
    assert arrives(half, Limits(max_queue=100, spill=False), spill_open=True) == Wait()
    assert arrives(FULL._replace(waiting=(0, 49, 0)), spill_open=True) == Wait()


def test_whoever_would_be_shed_is_spilled_rather() -> None:
    assert arrives(FULL, Limits(max_queue=0, spill=True), spill_open=True) == Admit(cap=None, spilled=True)


@pytest.mark.parametrize(("priority", "places"), [("low", 50), ("normal", 75), ("high", 100)])
def test_each_priority_has_its_share_of_the_queue(priority: Priority, places: int) -> None:
    assert arrives(FULL._replace(waiting=(0, places - 1, 0)), priority=priority) == Wait()
    assert isinstance(arrives(FULL._replace(waiting=(0, places, 0)), priority=priority), Shed)


@pytest.mark.parametrize(("priority", "mib"), [("low", 32), ("normal", 48), ("high", 64)])
def test_the_bytes_that_wait_are_bounded(priority: Priority, mib: int) -> None:
    load = FULL._replace(waiting=(0, 1, 0), waiting_bytes=mib * MIB - 1000)
    assert arrives(load, priority=priority, size=1000) == Wait()
    assert isinstance(arrives(load, priority=priority, size=1001), Shed)


def test_whoever_would_wait_too_long_is_shed_at_once() -> None:
    # Three quarters of the 10 s at 2 a second are the 15th place.
    assert arrives(FULL._replace(waiting=(0, 14, 0), rate=2.0)) == Wait()
    assert arrives(FULL._replace(waiting=(0, 15, 0), rate=2.0)) == Shed(8)
    assert arrives(FULL._replace(waiting=(0, 0, 15), rate=2.0)) == Wait()  # those of low priority wait behind it
    assert arrives(FULL._replace(waiting=(0, 15, 0), rate=None)) == Wait()  # nobody knows yet


def test_it_may_come_again_when_those_who_wait_should_be_done() -> None:
    full = FULL._replace(waiting=(0, 75, 0))
    assert arrives(full._replace(rate=8.0)) == Shed(10)
    assert arrives(full._replace(rate=1000.0)) == Shed(1)
    assert arrives(full._replace(rate=0.001)) == Shed(60)
    assert arrives(full._replace(rate=None)) == Shed(10)


def test_a_high_one_displaces_the_youngest_low_one_from_a_full_queue() -> None:
    full = FULL._replace(waiting=(10, 60, 30), displaceable=1000)
    assert arrives(full, priority="high") == Wait(displaces=True)
    assert isinstance(arrives(full, priority="normal"), Shed)
    assert isinstance(arrives(full._replace(waiting=(40, 60, 0), displaceable=None), priority="high"), Shed)
    late = full._replace(rate=1.0)
    assert isinstance(arrives(late, priority="high"), Shed)  # eleven seconds, whoever goes
    heavy = FULL._replace(waiting=(0, 1, 1), waiting_bytes=64 * MIB, displaceable=1000)
    assert arrives(heavy, priority="high", size=1000) == Wait(displaces=True)
    assert isinstance(arrives(heavy, priority="high", size=1001), Shed)


def test_who_is_less_important_than_the_shed_is_shed_too() -> None:
    load = FULL._replace(refused=1)
    assert arrives(load, priority="high") == Wait()
    assert arrives(load, priority="normal") == Wait()
    assert isinstance(arrives(load, priority="low"), Shed)
    assert arrives(Load(in_flight=1, room=8, refused=1), priority="low") == Admit()


@pytest.mark.parametrize(
    ("load", "level"),
    [
        (Load(in_flight=7, room=8), Rung.NORMAL),
        (FULL, Rung.QUEUE),
        (FULL._replace(waiting=(0, 24, 0)), Rung.QUEUE),
        (FULL._replace(waiting=(0, 25, 0)), Rung.CAP),
        (FULL._replace(waiting=(0, 5, 0), rate=2.0), Rung.CAP),  # 2.5 s of 10
        (FULL._replace(waiting=(0, 50, 0)), Rung.SPILL),
        (Load(in_flight=1, room=8, pressed=True), Rung.CAP),
    ],
)
def test_levels(load: Load, level: Rung) -> None:
    assert level_of(load, LIMITS, spill_open=True) is level


def test_what_the_limits_do_not_allow_is_no_level() -> None:
    bare = Limits(max_queue=100)
    assert level_of(FULL._replace(waiting=(0, 90, 0)), bare, spill_open=True) is Rung.QUEUE
    assert level_of(Load(in_flight=1, room=8, pressed=True), bare, spill_open=True) is Rung.QUEUE
    assert level_of(FULL._replace(waiting=(0, 90, 0)), LIMITS, spill_open=False) is Rung.CAP


@st.composite
def loads(draw: st.DrawFn) -> Load:
    waiting = draw(st.tuples(*[st.integers(0, 60)] * 3))
    return Load(
        in_flight=draw(st.integers(0, 10)),
        room=draw(st.integers(1, 10)),
        waiting=waiting,
        waiting_bytes=draw(st.integers(0, 64 * MIB)) if any(waiting) else 0,
        displaceable=draw(st.integers(0, 16 * MIB)) if waiting[2] else None,
        rate=draw(st.none() | st.floats(0.0, 1000.0)),
        refused=draw(st.integers(-1, 3)),
    )


@given(load=loads(), size=st.integers(0, 16 * MIB), spill_open=st.booleans(), rung=st.sampled_from(Rung))
def test_the_more_important_never_fares_worse(load: Load, size: int, spill_open: bool, rung: Rung) -> None:
    fared = [
        isinstance(arrives(load, priority=priority, size=size, rung=rung, spill_open=spill_open), Shed)
        for priority in ("high", "normal", "low")
    ]
    assert fared == sorted(fared)


@given(load=loads(), priority=priorities, size=st.integers(0, 16 * MIB))
def test_who_waits_never_exceeds_the_bounds(load: Load, priority: Priority, size: int) -> None:
    decision: Any = arrives(load, priority=priority, size=size)
    if decision == Wait():
        assert sum(load.waiting) < LIMITS.max_queue
        assert load.waiting_bytes + size <= 64 * MIB
    elif isinstance(decision, Shed):
        assert 1 <= decision.retry_after <= 60
    elif decision == Admit():
        assert load.in_flight < load.room


def test_a_rung_is_climbed_at_once_and_left_after_some_calm() -> None:
    ladder = Ladder()
    assert ladder.needs(Rung.SHED, 10.0)
    for tenth in range(int(CALM_S * 10)):
        assert not ladder.needs(Rung.NORMAL, 10.0 + tenth / 10)
    assert ladder.needs(Rung.NORMAL, 10.0 + CALM_S)
    assert ladder.rung is Rung.SPILL
    assert not ladder.needs(Rung.NORMAL, 10.0 + CALM_S + 0.1)
    assert ladder.needs(Rung.NORMAL, 10.0 + 2 * CALM_S)
    assert ladder.rung is Rung.CAP


def test_a_rung_that_is_needed_again_stays() -> None:
    ladder = Ladder()
    ladder.needs(Rung.QUEUE, 0.0)
    ladder.needs(Rung.NORMAL, CALM_S - 1)
    assert not ladder.needs(Rung.QUEUE, CALM_S - 0.5)
    assert not ladder.needs(Rung.NORMAL, CALM_S + 1)
    assert ladder.rung is Rung.QUEUE


def test_an_answer_is_only_cut_from_the_cap_rung_on() -> None:
    assert [cap_of(LIMITS, rung) for rung in Rung] == [None, None, 64, 64, 64]


def test_the_rate_is_known_before_the_first_overload() -> None:
    rate = ServiceRate()
    assert rate.per_second(8, 0.0) is None
    rate.observe(100, 50.0)  # half a second each
    assert rate.per_second(8, 0.0) == pytest.approx(16.0)


def test_the_rate_follows_the_engine() -> None:
    rate = ServiceRate()
    rate.observe(100, 50.0)
    rate.observe(100, 50.0)  # nothing ended: nothing is learned
    assert rate.per_second(8, 0.0) == pytest.approx(16.0)
    rate.observe(1100, 2050.0)  # now two seconds each
    assert rate.per_second(8, 0.0) == pytest.approx(4.0, rel=0.01)


def test_an_engine_that_is_stuck_is_no_faster_than_it_was_stuck() -> None:
    rate = ServiceRate()
    rate.observe(100, 50.0)
    assert rate.per_second(8, 40.0) == pytest.approx(0.2)
