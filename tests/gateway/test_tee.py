"""Which answers the analyser gets when there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.tee import MOST_PER_S, WHOLE, next_share


def test_few_answers_are_all_analysed() -> None:
    assert next_share(WHOLE, MOST_PER_S, behind=False) == WHOLE


def test_ten_times_too_many_are_sampled_to_what_is_analysed() -> None:
    assert next_share(WHOLE, 10 * MOST_PER_S, behind=False) == WHOLE // 10


def test_an_analyser_that_is_behind_gets_half_and_then_more_again() -> None:
    half = next_share(WHOLE, 10, behind=True)
    assert half == WHOLE // 2
    assert next_share(half, 10, behind=False) == WHOLE


@given(st.integers(1, WHOLE), st.integers(0, 10**6), st.booleans())
def test_never_nothing_and_never_too_many(share: int, answers: int, behind: bool) -> None:
    following = next_share(share, answers, behind)
    assert 0 < following <= WHOLE
    assert answers <= MOST_PER_S or following * answers <= WHOLE * MOST_PER_S
