"""The test of shares against the concurrent control: right by definition, right in its alarms."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_core.drift.baseline import LONG_MEMORY, ShareBaseline, Stream
from quantdeck_core.drift.sequential import MIN_CONTROL, REFRESH, ShareTest, discounted

WATCH = 1e6


class Arms:
    """Feeds one test."""

    def __init__(self, *, up: bool = True, seed: int = 1) -> None:
        self.stream = Stream()
        self.baseline = ShareBaseline(self.stream)
        self.test = ShareTest(self.baseline, up=up)
        self._random = Random(seed)

    def control(self, hit: bool) -> None:
        self.stream.control += 1
        if hit:
            self.test.hit_control()
            self.baseline.hit()
        if self.stream.control % REFRESH == 0:
            self.test.refresh()

    def treatment(self, hit: bool) -> None:
        self.stream.treatment += 1
        if hit:
            self.test.hit_treatment()

    def both(self, count: int, control: float, treatment: float) -> int | None:
        """Answers until the evidence reaches a watch; None where it does not."""
        for number in range(1, count + 1):
            self.control(self._random.random() < control)
            self.treatment(self._random.random() < treatment)
            if self.test.raw >= WATCH and self.test.evidence() >= WATCH:
                return number
        return None


def test_a_jump_is_found_soon_and_said_in_numbers() -> None:
    arms = Arms()
    assert arms.both(2_000, 0.02, 0.02) is None
    found = arms.both(1_000, 0.02, 0.10)
    assert found is not None
    assert found < 500
    assert 0.05 < arms.test.hits / arms.test.answers < 0.25
    assert arms.test.answers <= found + 200


def test_a_fall_is_found_by_the_test_that_looks_down() -> None:
    down, up = Arms(up=False), Arms()
    for arms in (down, up):
        arms.both(2_000, 0.20, 0.20)
    assert down.both(2_000, 0.20, 0.04) is not None
    assert up.both(2_000, 0.20, 0.04) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_small_rise_never_adds_up(seed: int) -> None:
    arms = Arms(seed=seed)
    assert arms.both(60_000, 0.02, 0.023) is None


@pytest.mark.parametrize("seed", range(6))
def test_what_both_arms_show_alike_is_no_evidence(seed: int) -> None:
    arms = Arms(seed=seed)
    arms.both(3_000, 0.02, 0.02)
    assert arms.both(6_000, 0.04, 0.04) is None


def test_nothing_counts_before_there_is_enough_of_a_control() -> None:
    arms = Arms()
    for _ in range(MIN_CONTROL - REFRESH):
        arms.control(False)
        arms.treatment(True)
    arms.test.settle()
    assert arms.test.raw < WATCH


def test_a_mended_treatment_begins_anew_against_the_control_that_is_known() -> None:
    arms = Arms()
    arms.both(2_000, 0.02, 0.02)
    assert arms.both(1_000, 0.02, 0.30) is not None
    arms.test.forget()
    assert arms.test.raw == 0.0
    assert arms.both(2_000, 0.02, 0.02) is None


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=400), st.booleans())
def test_answers_without_a_hit_may_be_counted_later(hits: list[bool], up: bool) -> None:
    lazy, eager = Arms(up=up), Arms(up=up)
    for arms in (lazy, eager):
        for number in range(3 * REFRESH):
            arms.control(number % 5 == 0)
    for hit in hits:
        lazy.treatment(hit)
        eager.treatment(hit)
        eager.test.settle()
    lazy.test.settle()
    assert lazy.test.raw == pytest.approx(eager.test.raw, rel=1e-6)
    assert (lazy.test.answers, lazy.test.hits) == (eager.test.answers, eager.test.hits)


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_the_long_memory_fades(hits: list[bool]) -> None:
    stream = Stream()
    baseline = ShareBaseline(stream)
    weight = counted = 0.0
    keep = 1 - 1 / LONG_MEMORY
    for hit in hits:
        stream.control += 1
        if hit:
            baseline.hit()
        weight, counted = weight * keep + 1, counted * keep + hit
    assert baseline.share == pytest.approx((counted + 0.5) / (weight + 1))


@given(st.floats(0, 1e30), st.floats(0, 1e30))
def test_a_control_that_moves_itself_only_takes_evidence_away(raw: float, control: float) -> None:
    assert discounted(raw, control) <= raw
