"""Which piece follows which."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from quantdeck_demo.model.chain import P_END, transitions
from quantdeck_demo.model.corpus import STOP, STOP_AND_GO_ON, sentences
from quantdeck_demo.model.vocabulary import END, OPENERS, SIZE, vocabulary

_IDS = vocabulary().ids
_P = transitions(vocabulary(), sentences())


def test_rows_are_distributions() -> None:
    assert _P.shape == (SIZE, SIZE)
    assert (_P >= 0).all()
    assert _P.sum(axis=1) == pytest.approx(np.ones(SIZE))


def test_every_step_of_the_text_is_possible_and_no_other_word_is() -> None:
    seen = {pair for sentence in sentences() for pair in pairwise(sentence)}
    assert all(_P[_IDS[current], _IDS[following]] > 0 for current, following in seen)
    the = _P[_IDS["▁the"]]
    assert {vocabulary().tokens[token_id] for token_id in np.flatnonzero(the)} == {b for a, b in seen if a == "▁the"}


def test_one_sentence_in_four_is_the_last() -> None:
    before = _P[:, _IDS[STOP]] > 0
    last, more = _P[before, _IDS[STOP]], _P[before, _IDS[STOP_AND_GO_ON]]
    assert last / (last + more) == pytest.approx(np.full(before.sum(), P_END))


def test_after_the_last_stop_comes_the_end_and_padding_never_comes() -> None:
    assert _P[_IDS[STOP], _IDS[END]] == 1
    assert _P[:, vocabulary().padding].max() == 0


def test_each_opener_begins_its_own_sentences() -> None:
    rows = [tuple(np.flatnonzero(_P[_IDS[opener]])) for opener in OPENERS]
    assert len(set(rows)) == len(OPENERS)
    for number, row in enumerate(rows):
        assert set(row) == {_IDS[sentence[0]] for sentence in sentences()[number :: len(OPENERS)]}


def test_answers_end_from_everywhere() -> None:
    """No closed loop: the end can be reached from each opener, and within a few dozen pieces it usually is."""
    state = np.zeros(SIZE)
    state[[_IDS[opener] for opener in OPENERS]] = 1 / len(OPENERS)
    ended = 0.0
    for _ in range(200):
        state = state @ _P
        ended += state[_IDS[END]]
        state[_IDS[END]] = 0
    assert ended > 0.98
