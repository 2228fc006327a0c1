"""Distances between distributions of which only the most likely tokens are known."""

from __future__ import annotations

from math import exp, inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.canary.top import MOST, TopTokens, kl_divergence, same_top, top_tokens

_SHARES = st.lists(st.floats(0.001, 1.0), min_size=3, max_size=40)


def top(**shares: float) -> TopTokens:
    made = top_tokens((token, log(share)) for token, share in shares.items())
    assert made is not None
    return made


def full(values: list[float], turn: int) -> dict[str, float]:
    """A whole distribution over letters, turned so that two of them disagree about who is most likely."""
    total = sum(values)
    return {f"t{(place + turn) % len(values)}": value / total for place, value in enumerate(values)}


def test_two_coins_are_as_far_apart_as_by_hand() -> None:
    apart = kl_divergence(top(head=0.5, tail=0.5), top(head=0.9, tail=0.1))
    assert apart == pytest.approx(0.5 * log(0.5 / 0.9) + 0.5 * log(0.5 / 0.1), abs=1e-3)


def test_lists_that_share_nothing_are_far_apart() -> None:
    """One lump for all that is unmatched would call these the same."""
    assert kl_divergence(top(a=0.6, b=0.39), top(c=0.6, d=0.39)) > 2


@given(_SHARES, st.integers(1, MOST))
def test_an_engine_is_at_no_distance_from_itself(values: list[float], known: int) -> None:
    every = sorted(full(values, 0).items(), key=lambda one: -one[1])[:known]
    seen = top(**dict(every))
    assert kl_divergence(seen, seen) == pytest.approx(0, abs=1e-4)
    assert same_top(seen, seen)


@given(_SHARES, st.integers(1, 39), st.integers(2, MOST))
def test_what_is_seen_is_never_more_than_the_whole_truth(values: list[float], turn: int, known: int) -> None:
    p, q = full(values, 0), full(values, turn)
    truth = sum(p[token] * log(p[token] / q[token]) for token in p)

    def seen(whole: dict[str, float]) -> TopTokens:
        return top(**dict(sorted(whole.items(), key=lambda one: -one[1])[:known]))

    assert 0 <= kl_divergence(seen(p), seen(q)) <= truth + 0.01


@given(_SHARES, st.integers(1, 39))
def test_the_whole_truth_is_seen_where_all_tokens_are_named(values: list[float], turn: int) -> None:
    p, q = full(values[:MOST], 0), full(values[:MOST], turn)
    truth = sum(p[token] * log(p[token] / q[token]) for token in p)
    assert kl_divergence(top(**p), top(**q)) == pytest.approx(truth, abs=0.01)


def test_lists_of_different_length_are_cut_to_the_shorter() -> None:
    long = top(a=0.5, b=0.2, c=0.1, d=0.05, e=0.05)
    assert kl_divergence(long, top(a=0.5, b=0.2)) == pytest.approx(0, abs=1e-3)


def test_tokens_of_the_same_text_are_one() -> None:
    made = top_tokens([("", log(0.25)), ("a", log(0.4)), ("", log(0.25))])
    assert made is not None
    assert made.tokens == ("", "a")
    assert exp(made.logprobs[0]) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("value", [nan, inf, None, 0.5], ids=str)
def test_what_is_no_log_probability_is_found(value: float | None) -> None:
    assert top_tokens([("a", -0.1), ("b", value)]) is None


def test_the_engines_minus_infinity_is_no_token() -> None:
    made = top_tokens([("a", -0.1), ("b", -9999.0), ("c", -inf)])
    assert made is not None
    assert made.tokens == ("a",)


def test_tokens_that_the_control_finds_as_likely_are_no_flip() -> None:
    control = top(a=0.4, b=0.4, c=0.2)
    assert same_top(control, top(b=0.6, a=0.4))
    assert not same_top(control, top(c=0.6, a=0.4))
    assert not same_top(control, top(z=0.6, a=0.4))
