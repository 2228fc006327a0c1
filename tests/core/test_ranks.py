"""The test of lengths and latencies: it knows no distribution."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.ranks import REFERENCE, RankTest, Reference

WATCH = 1e6


def until_found(
    *, up: bool, sigma: float, control: float, treatment: float, count: int, seed: int = 1, unit: float = 1.0
) -> int | None:
    """Answers after the change until a watch, for log-normal values of these medians."""
    random, reference = Random(seed), Reference()
    test = RankTest(reference, up=up, tolerance=0.03)
    for number in range(2_000 + count):
        changed = number >= 2_000
        value = random.lognormvariate(0, sigma) * unit * (control if changed else 1.0)
        test.add_control(value)
        reference.add(value)
        test.add_treatment(random.lognormvariate(0, sigma) * unit * (treatment if changed else 1.0))
        if test.evidence() >= WATCH:
            return number - 1_999
    return None


@pytest.mark.parametrize("unit", [0.001, 1.0, 1e6])
def test_a_shift_is_found_in_its_direction_whatever_the_unit(unit: float) -> None:
    shorter = until_found(up=False, sigma=0.34, control=1.0, treatment=0.8, count=1_000, unit=unit)
    assert shorter is not None
    assert 0 < shorter < 400
    assert until_found(up=True, sigma=0.34, control=1.0, treatment=0.8, count=1_000, unit=unit) is None
    assert until_found(up=True, sigma=0.34, control=1.0, treatment=1.2, count=1_000, unit=unit) is not None


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3, 2.0])
def test_what_both_arms_show_alike_is_no_evidence(factor: float) -> None:
    for up in (True, False):
        assert until_found(up=up, sigma=0.34, control=factor, treatment=factor, count=3_000) is None


def test_a_shift_within_the_tolerance_never_adds_up() -> None:
    assert until_found(up=True, sigma=0.34, control=1.0, treatment=1.02, count=30_000) is None


def test_the_same_value_from_everyone_is_no_change() -> None:
    assert until_found(up=True, sigma=0.0, control=1.0, treatment=1.0, count=1_000) is None
    assert until_found(up=False, sigma=0.0, control=1.0, treatment=1.0, count=1_000) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=3_000))
def test_a_reference_holds_the_last_values_in_order(values: list[int]) -> None:
    reference = Reference()
    for value in values:
        reference.add(float(value))
    last = values[-REFERENCE:]
    assert reference.ordered == sorted(map(float, last))
    assert reference.mean == pytest.approx(sum(last) / len(last))
