"""Loops, and what only looks like one."""

# ruff: noqa: RUF001 - several scripts are what this is about

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.quality import SuffixLoop, text_signals
from quantdeck_core.quality.repetition import BLOCK_BYTES, MAX_COMPRESSION, is_compressible
from quantdeck_core.quality.suffix_loop import CUT_RUN, CUT_TURNS, LEAST_RUN, LONGEST_PERIOD, TURNS, suffix_period
from support.texts import CHINESE, ENGLISH, GOOD, JAPANESE, LOOPS, RUSSIAN, lesson_repetition


@pytest.mark.parametrize("name", GOOD)
def test_lists_tables_and_code_are_no_loops_but_by_the_lessons_rule(name: str) -> None:
    text = GOOD[name]
    assert suffix_period(text) == 0
    assert not is_compressible(text.encode())
    assert text_signals(text).loop == ("ngram" if lesson_repetition(text) else "")


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_seen(name: str) -> None:
    signals = text_signals(LOOPS[name])
    assert signals.repetition
    assert signals.loop


@pytest.mark.parametrize("piece", ["因此，", "そうですね。", "nonono", "0", "ไอน้ำออกไปไม่ได้", "total+=1;"])
def test_loops_without_spaces_are_seen_by_their_end(piece: str) -> None:
    text = "Nun gut: " + piece * (LEAST_RUN // len(piece) + TURNS)
    assert text_signals(text).loop == "suffix"
    assert suffix_period(text) == len(piece) - (piece == "nonono") * 4


def test_a_loop_without_spaces_that_ended_is_seen_by_what_it_compresses_to() -> None:
    text = CHINESE + "高压锅的原理恰好相反。" * 100 + JAPANESE
    assert suffix_period(text) == 0
    assert text_signals(text).loop == "compression"


def test_a_loop_whose_turns_differ_is_seen_by_what_it_compresses_to() -> None:
    text = "".join(f"第{number}次：锅内压力升高，水的沸点也随之上升。" for number in range(80))
    assert suffix_period(text) == 0
    assert text_signals(text).loop == "compression"


@given(st.text("abc é水", min_size=1, max_size=40), st.integers(1, 200), st.text(max_size=300))
def test_the_period_is_a_period(piece: str, times: int, before: str) -> None:
    text = before + piece * times
    period = suffix_period(text)
    if period:
        run = max(LEAST_RUN, TURNS * period)
        assert text[-run:-period] == text[-run + period :]
    elif len(piece) * times >= LEAST_RUN + len(piece) * (TURNS + 1):
        pytest.fail("not seen")


@given(st.integers(1, LONGEST_PERIOD))
def test_any_period_up_to_the_longest_is_seen(length: int) -> None:
    piece = "".join(random.Random(length).choices("abcdefgh ", k=length))
    times = max(TURNS, LEAST_RUN // length + 1)
    text = ENGLISH + piece * times
    assert 0 < suffix_period(text) <= length
    assert suffix_period(ENGLISH + "".join(random.Random(length).choices("abcdefgh ", k=length * times))) == 0


def test_a_period_within_which_its_own_end_comes_twice() -> None:
    piece = "| a | b |\n" + "-" * 80 + "\n" + "-" * 80 + "\n"
    assert suffix_period(piece * 10) == len(piece)


@pytest.mark.parametrize("step", [1, 7, 300, 5000])
def test_a_loop_is_seen_while_it_is_written(step: int) -> None:
    text = ENGLISH + " and then the lamp is lit" * 400
    watch, at = SuffixLoop(), 0
    while not watch.feed(text[at : at + step]):
        at += step
        assert at < len(text)
    assert watch.period == len(" and then the lamp is lit")
    assert at + step >= len(ENGLISH) + CUT_RUN
    assert at <= len(ENGLISH) + CUT_RUN + 512 + step


@pytest.mark.parametrize("name", GOOD)
def test_good_answers_are_not_cut(name: str) -> None:
    watch, text = SuffixLoop(), GOOD[name]
    assert not any(watch.feed(text[at : at + 4]) for at in range(0, len(text), 4))


def test_an_empty_table_and_a_matrix_of_zeros_are_not_cut() -> None:
    matrix = "[" + ", ".join("0" * 25) + "],\n"
    for text in ("|    |    |    |    |\n" * 50, matrix * 25, "_" * 900, "- [ ] \n" * 100):
        assert not any(SuffixLoop().feed(text[: at + 256]) for at in range(0, len(text), 256))
        assert len(text) < CUT_RUN


def test_long_periods_need_as_many_turns() -> None:
    paragraph = RUSSIAN + "\n"
    assert not SuffixLoop().feed(ENGLISH + paragraph * (CUT_TURNS - 1))
    assert SuffixLoop().feed(ENGLISH + paragraph * CUT_TURNS)


@given(st.binary(max_size=60).map(lambda piece: piece.hex()), st.integers(1, 60), st.integers(0, 3))
def test_what_is_compressible_compresses(piece: str, times: int, others: int) -> None:
    data = (piece * times + ENGLISH[: others * 100]).encode()
    if is_compressible(data):
        blocks = (data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES // 2))
        assert any(len(block) > MAX_COMPRESSION * len(zlib.compress(block, 1)) for block in blocks)


@given(st.text(max_size=50), st.integers(1, 400))
def test_any_text_may_loop(piece: str, times: int) -> None:
    signals = text_signals(piece * times)
    assert signals.repetition == (signals.loop != "")
