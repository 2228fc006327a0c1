import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.quality import text_signals
from quantdeck_core.quality.coherence import coherence
from support.texts import lesson_repetition


@given(st.lists(st.sampled_from(["the", "The", "tide", "turns", "lighthouse"]), max_size=60).map(" ".join))
def test_repetition_is_the_lessons_rule(text: str) -> None:
    assert (text_signals(text).loop == "ngram") == lesson_repetition(text)


@pytest.mark.parametrize(("times", "loops"), [(4, False), (5, True)])
def test_a_4_gram_may_appear_four_times(times: int, loops: bool) -> None:
    separators = [f"separator-number-{number} x{number} y{number}" for number in range(times)]
    text = " ".join(f"alpha beta gamma delta {separator}" for separator in separators)
    assert (text_signals(text).loop == "ngram") is loops


def test_short_answers_are_never_loops() -> None:
    assert text_signals("no " * 30).loop != "ngram"  # 90 characters
    assert text_signals(" ".join(["abcdefghijklmnopqrstuvwxyz"] * 7)).loop != "ngram"  # 7 words


def test_a_very_long_answer_takes_linear_time() -> None:
    began = time.perf_counter()
    assert text_signals("round and round it goes " * 20_000).repetition
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help with that.",
        "I can't assist.",
        "I can\u2019t assist.",
        "Sorry, I do not feel comfortable here.",
        "This topic seems harmful to me.",
        "I must decline.",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    assert text_signals(text).refusal


def test_an_answer_about_refusing_is_not_a_refusal() -> None:
    assert not text_signals("You can refuse the offer, and they cannot help it.").refusal


def test_coherence_is_the_share_of_wordlike_words() -> None:
    assert coherence([]) == 1.0
    assert coherence(["good", "%%%%", "a1", "ab1"]) == 0.5


@given(st.text())
def test_any_text_has_signals(text: str) -> None:
    signals = text_signals(text)
    assert 0.0 <= signals.coherence <= 1.0
    assert signals.words == len(text.split())
