import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.fleet import cells


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0.9, "0s"), (48, "48s"), (99, "99s"), (100, "1m"), (3_600, "60m"), (6_000, "1h"), (200_000, "2d")],
)
def test_age(seconds: float, text: str) -> None:
    assert cells.age(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1_024, "1.0 KiB"), (210 * 2**20, "210 MiB"), (2**40, "1.0 TiB")],
)
def test_size(count: int | None, text: str) -> None:
    assert cells.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (math.nan, "-"), (0.0, "0"), (9.44, "9.4"), (9.95, "10"), (118.2, "118"), (999.6, "1.0k"),
        (1_240, "1.2k"), (48_000, "48k"), (2_500_000, "2.5M"),
    ],
)  # fmt: skip
def test_number(value: float | None, text: str) -> None:
    assert cells.number(value) == text


@given(st.floats(min_value=0, max_value=999_000))
def test_a_number_fits_four_characters(value: float) -> None:
    assert len(cells.number(value)) <= 4


@given(st.floats(min_value=0, max_value=86_400 * 999))
def test_an_age_fits_four_characters(seconds: float) -> None:
    assert len(cells.age(seconds)) <= 4


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, "-"), (0.42, "0.4 ms"), (9.96, "10 ms"), (118, "118 ms"), (999.6, "1.0 s"), (2_400, "2.4 s")],
)
def test_duration(ms: float | None, text: str) -> None:
    assert cells.duration(ms) == text
    assert cells.short_duration(ms) == text.replace(" ", "")


def test_shares_and_means_carry_their_intervals() -> None:
    assert cells.share_of(0, 0) == "-"
    assert cells.share_of(33, 70) == "47.1 % [35.9 58.7]"
    assert cells.mean_of(None, None, 0) == "-"
    assert cells.mean_of(41.0, None, 1) == "41"
    assert cells.mean_of(41.0, 9.0, 500) == "41 [40 42]"


def test_splits_and_weights() -> None:
    assert cells.split(1_000) == "90/10"
    assert cells.split(1_250) == "87.5/12.5"
    assert cells.weight(1) == "0.01 %"
    assert cells.whole_percent(1, 0) == "-"
    assert cells.plural(1, "host") == "1 host"
    assert cells.plural(1_200, "host") == "1,200 hosts"
