"""The text, its pieces and their ids."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_demo.model import corpus, vocabulary
from quantdeck_demo.model.corpus import SPACE, STOP, pieces_of, questions, sentences, text_of
from quantdeck_demo.model.vocabulary import MAX_WORDS, OPENERS, SIZE, SPECIALS

_WORDS = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=12)


def test_a_sentence_is_cut_into_words_that_bring_their_space_and_marks_that_do_not() -> None:
    assert pieces_of("Wait by_the sea, please.") == ("Wait", "▁by▁the", "▁sea", ",", "▁please", ".")


@given(st.lists(_WORDS, min_size=1), st.sampled_from([".", "?", ""]))
def test_cutting_loses_nothing(words: list[str], mark: str) -> None:
    sentence = " ".join(words) + mark
    assert text_of(pieces_of(sentence)) == sentence


def test_there_are_at_least_forty_different_sentences_and_each_ends_once() -> None:
    assert len(set(sentences())) == len(sentences()) >= 40
    assert all(sentence[-1] == STOP and STOP not in sentence[:-1] for sentence in sentences())
    assert all(question[-1] in (".", "?") for question in questions())


def test_no_sentence_repeats_a_piece() -> None:
    """A cycle inside one sentence would let healthy answers loop."""
    repeated = [piece for sentence in sentences() for piece, n in Counter(sentence).items() if n > 1]
    assert set(repeated) <= {f"{SPACE}the", ","}


def test_every_opener_has_sentences() -> None:
    assert len(sentences()) >= len(OPENERS)


def test_the_vocabulary_has_specials_then_words_then_padding() -> None:
    known = vocabulary.vocabulary()
    assert len(known.tokens) == len(set(known.tokens)) == len(known.ids) == SIZE
    assert known.words <= MAX_WORDS
    assert known.tokens[: len(SPECIALS)] == SPECIALS
    assert all(known.tokens[known.ids[token]] == token for token in known.tokens)
    assert {known.is_word(token_id) for token_id in range(*known.padding.indices(SIZE))} == {False}
    assert not known.is_word(len(SPECIALS) - 1)
    assert known.is_word(len(SPECIALS))
    assert all(token.startswith("<pad") for token in known.tokens[known.padding])


def test_too_many_words_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    many = (tuple(f"word{number}" for number in range(MAX_WORDS + 1)),)
    monkeypatch.setattr(vocabulary, "sentences", lambda: many)
    with pytest.raises(ValueError, match="distinct pieces"):
        vocabulary.vocabulary.__wrapped__()


def test_texts_have_no_stray_joints() -> None:
    assert not any("_" in piece for text in (*corpus.sentences(), *corpus.questions()) for piece in text)
