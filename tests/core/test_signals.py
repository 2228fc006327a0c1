import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.quality import text_signals
from quantdeck_core.quality.coherence import coherence
from quantdeck_core.quality.refusals import is_refusal
from quantdeck_core.quality.repetition import has_repetition


def lesson_repetition(text: str) -> bool:
    """The lesson's loop, written plainly, to hold ours against."""
    if len(text) < 100:
        return False
    words = text.lower().split()
    if len(words) < 8:
        return False
    counts: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - 3):
        gram = tuple(words[start : start + 4])
        counts[gram] = counts.get(gram, 0) + 1
    return max(counts.values()) > 4


@given(st.lists(st.sampled_from(["the", "The", "tide", "turns", "lighthouse"]), max_size=60).map(" ".join))
def test_repetition_is_the_lessons_rule(text: str) -> None:
    assert has_repetition(text) == lesson_repetition(text)


@pytest.mark.parametrize(("times", "loops"), [(4, False), (5, True)])
def test_a_4_gram_may_appear_four_times(times: int, loops: bool) -> None:
    separators = [f"separator-number-{number} x{number} y{number}" for number in range(times)]
    text = " ".join(f"alpha beta gamma delta {separator}" for separator in separators)
    assert has_repetition(text) is loops


def test_short_answers_are_never_loops() -> None:
    assert not has_repetition("no " * 30)  # 90 characters
    assert not has_repetition(" ".join(["abcdefghijklmnopqrstuvwxyz"] * 7))  # 7 words


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
    assert is_refusal(text)


def test_an_answer_about_refusing_is_not_a_refusal() -> None:
    assert not is_refusal("You can refuse the offer, and they cannot help it.")


def test_coherence_is_the_share_of_wordlike_words() -> None:
    assert coherence([]) == 1.0
    assert coherence(["good", "%%%%", "a1", "ab1"]) == 0.5


@given(st.text())
def test_any_text_has_signals(text: str) -> None:
    signals = text_signals(text)
    assert 0.0 <= signals.coherence <= 1.0
    assert signals.words == len(text.split())
