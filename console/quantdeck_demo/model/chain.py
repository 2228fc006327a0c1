"""The model's knowledge: which piece follows which, and how often."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from quantdeck_demo.model.corpus import STOP, STOP_AND_GO_ON, Pieces
from quantdeck_demo.model.vocabulary import END, OPENERS, SIZE, Vocabulary

P_END = 0.25
"""Chance that a sentence is the last one: answers have four sentences on average."""


def transitions(vocabulary: Vocabulary, sentences: tuple[Pieces, ...]) -> npt.NDArray[np.float64]:
    """P(next | current) of the chain of pieces, without smoothing.

    Sentence number s opens an answer after `OPENERS[s % 8]`. Tokens that answers never contain are followed by any
    sentence's first piece.

    Returns:
        Shape [SIZE, SIZE], rows are the current token; every row sums to 1.
    """
    ids = vocabulary.ids
    counts = np.zeros((SIZE, SIZE))
    for number, sentence in enumerate(sentences):
        counts[ids[STOP_AND_GO_ON], ids[sentence[0]]] += 1
        counts[ids[OPENERS[number % len(OPENERS)]], ids[sentence[0]]] += 1
        for current, following in pairwise(sentence):
            counts[ids[current], ids[following]] += 1
    ends = counts[:, ids[STOP]].copy()
    counts[:, ids[STOP]] = ends * P_END
    counts[:, ids[STOP_AND_GO_ON]] += ends * (1 - P_END)
    counts[ids[STOP], ids[END]] = 1
    silent = counts.sum(axis=1) == 0
    counts[silent] = counts[ids[STOP_AND_GO_ON]]
    counts /= counts.sum(axis=1, keepdims=True)
    return counts
