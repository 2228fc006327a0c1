"""Text that is none."""

# ruff: noqa: RUF001 - several scripts are what this is about

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.quality import text_signals
from quantdeck_core.quality.coherence import LONG_WORD, coherence, is_empty
from support.texts import CHINESE, ENGLISH, GOOD, JAPANESE, THAI


def lesson_coherence(words: list[str]) -> float:
    """The lesson's ratio, written plainly."""
    good = [word for word in words if sum(letter.isalpha() for letter in word) > len(word) / 2]
    return len(good) / len(words) if words else 1.0


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=LONG_WORD), max_size=20))
def test_coherence_is_the_lessons_ratio(words: list[str]) -> None:
    assert coherence(words) == lesson_coherence(words)
    assert coherence(words, ascii=all(map(str.isascii, words))) == lesson_coherence(words)


@given(st.lists(st.text("abc,.!1", min_size=1, max_size=60), max_size=20))
def test_long_words_of_ascii_are_words(words: list[str]) -> None:
    assert coherence(words) == lesson_coherence(words)


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI])
def test_noise_in_a_script_without_spaces_lowers_it(text: str) -> None:
    assert text_signals(text).coherence > 0.9
    noisy = "".join(text[at : at + 4] + "%#@&*^~+=$" for at in range(0, len(text), 4))
    assert text_signals(noisy).coherence < 0.5


@pytest.mark.parametrize("name", GOOD)
def test_languages_side_by_side_are_not_garbled(name: str) -> None:
    assert not text_signals(GOOD[name]).garbled


@pytest.mark.parametrize(
    "text",
    [
        "Um den Wert zu lesen, schreibe das Wort 模型 in das Feld und drücke auf Start.",
        "Он сказал hello и ушёл; в API есть метод get, а в iPhone 15 его нет.",
        "使用 Python 编写 API 接口，然后用 JSON 格式返回 data 字段和 error 字段。",
        "한국어와 漢字를 함께 쓰는 글도 있고 API를 설명하는 글도 있다. 大韓民國은 한국이다.",
        "Prices: 5 €, 7 £, ≈ 10 km — naïve café, Straße, Łódź, İstanbul, ½ cup.",
        "\U0001f600 Great! \U0001f680\U0001f680 Let's go \u2192 next \u2714\ufe0f",
        "A cut character at the end\ufffd",
    ],
)
def test_what_people_write_is_not_garbled(text: str) -> None:
    assert not text_signals(text).garbled


@pytest.mark.parametrize(
    "text",
    [
        "The answer is для 你们 because мы 可以 see это 问题 clearly now and 然后 потом we go.",
        "приvет миp кaк дeла у тeбя",
        "Water \ufffd\ufffd boils \ufffd at",
        ENGLISH[:300] + " 的 на для ความ of модели 模型 это the 한국 данные 数据 в and ไทย " + ENGLISH[:100],
        "모델은 модель 模型 그리고 данные 数据 입니다",
    ],
)
def test_garbled(text: str) -> None:
    assert text_signals(text).garbled


def test_a_few_switches_in_a_long_text_are_its_own_business() -> None:
    odd = " модель 模型 данные 数据 "
    assert text_signals(odd + ENGLISH).garbled
    assert not text_signals(odd + ENGLISH * 10).garbled


@pytest.mark.parametrize(
    ("text", "empty"), [("", True), (" \n\t", True), ("\u200b\ufeff \u00ad", True), (".", False), ("0", False)]
)
def test_empty(text: str, empty: bool) -> None:
    assert is_empty(text) is empty
    assert text_signals(text).empty is empty
