"""A chain of words in transformer clothes: the tensors of a one-layer Llama that computes `log P(next | current)`.

Embeddings are one-hot, attention is zero. RMSNorm makes one-hot vectors sqrt(SIZE) times longer; gate and up undo it,
and `down` holds the whole chain, so quantizing the matrices changes what the model says.
Nothing here knows a file format: matrices are [output, input], as both GGUF and Hugging Face checkpoints have them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantdeck_demo.model.vocabulary import SIZE, Vocabulary

Tensor = npt.NDArray[np.float32]

HEADS = 8
HEAD_SIZE = SIZE // HEADS
CONTEXT = 8192
"""Tokens; attention is zero, so any number would do."""
RMS_EPSILON = 1e-6
ROPE_BASE = 10000.0

LOWEST = -14.0
"""Natural logarithms of probabilities below this are raised to it: all logits then fit small integers' range."""
OFFSET = 7.0
"""Added to every logarithm, so that logits spread evenly around zero."""
_HEADROOM = 1.15
_PADDING_GAIN = -4.0
"""Padding dimensions are filled with positive values; this makes their logits so low that padding is never chosen."""


@dataclass(frozen=True)
class Weights:
    """Tensors of the only layer and its surroundings: matrices are [SIZE, SIZE]; `norm`, [SIZE], serves three times."""

    embedding: Tensor
    norm: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    attention_output: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor
    output: Tensor


def residuals(vocabulary: Vocabulary, transitions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What the residual stream holds after the layer, for each current token: logits, and filled padding dimensions.

    The last RMSNorm divides by a vector's norm, so padding is filled until all rows have the same one.

    Returns:
        Shape [SIZE, SIZE], rows are the current token.
    """
    with np.errstate(divide="ignore"):
        rows = np.maximum(np.log(transitions), LOWEST) + OFFSET
    padding = vocabulary.padding
    rows[:, padding] = 0
    squares = np.square(rows).sum(axis=1)
    missing = np.square(_HEADROOM) * squares.max() - squares
    rows[:, padding] = np.sqrt(missing / (padding.stop - padding.start))[:, None]
    return rows


def chain_weights(vocabulary: Vocabulary, transitions: npt.NDArray[np.float64]) -> Weights:
    """Weights whose logits are `log P(next | current) + OFFSET`."""
    rows = residuals(vocabulary, transitions)
    one = np.eye(SIZE, dtype=np.float32)
    zero = np.zeros((SIZE, SIZE), dtype=np.float32)
    gains = np.ones(SIZE)
    gains[vocabulary.padding] = _PADDING_GAIN
    return Weights(
        embedding=one,
        norm=np.ones(SIZE, dtype=np.float32),
        query=zero,
        key=zero,
        value=zero,
        attention_output=zero,
        gate=one,
        up=np.divide(one, SIZE, dtype=np.float32),
        # The one-hot input is still in the residual stream; the identity takes it out.
        down=(rows.T - np.eye(SIZE)).astype(np.float32),
        output=np.diag(gains * np.linalg.norm(rows[0]) / np.sqrt(SIZE)).astype(np.float32),
    )
