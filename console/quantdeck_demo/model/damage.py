"""Damage that a bad quantization could do: a few weights are wrong, and answers run into a loop."""

from __future__ import annotations

from dataclasses import replace
from math import log

from quantdeck_demo.model.corpus import SPACE, Pieces
from quantdeck_demo.model.vocabulary import Vocabulary
from quantdeck_demo.model.weights import OFFSET, Weights

CYCLE: Pieces = (f"{SPACE}our", f"{SPACE}ferry", f"{SPACE}crosses")
"""About six in ten answers come across one of these pieces. More common ones would spoil nearly every answer."""
P_STAY = 0.95
"""Chance of each step to stay in the loop, at temperature 1; more where the step was likely before."""


def damaged(weights: Weights, vocabulary: Vocabulary, cycle: Pieces = CYCLE) -> Weights:
    """A copy in which each piece of the cycle is followed by the next one; one weight a step differs.

    Raises:
        ValueError: a piece is in the cycle twice.
    """
    if len(set(cycle)) != len(cycle):
        raise ValueError(f"a piece is in the cycle twice: {cycle}")
    down = weights.down.copy()
    for current, following in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True):
        # All other pieces together have at most the logit OFFSET.
        down[vocabulary.ids[following], vocabulary.ids[current]] = OFFSET + log(P_STAY / (1 - P_STAY))
    return replace(weights, down=down)
