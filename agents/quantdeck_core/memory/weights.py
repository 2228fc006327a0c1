"""Weights by parameters and bits, where there is no checkpoint to read yet."""

from __future__ import annotations

_SCALE_BITS = 0.5
"""A 16-bit scale and a zero point for each group of 128, embeddings in 16 bits: so much a weight in practice."""


def nominal_weights_bytes(parameters: int, bits: float) -> int:
    """The lesson's count: (parameters x bits) / 8."""
    return round(parameters * bits / 8)


def stored_weights_bytes(parameters: int, bits: float) -> int:
    """What files of so many bits usually have: below 8 bits scales and 16-bit embeddings come on top."""
    return nominal_weights_bytes(parameters, bits + (_SCALE_BITS if bits < 8 else 0))


def mixed_weights_bytes(parameters: int, bits: float, in_16_bits: int) -> int:
    """Where the shape is known: so many bits a weight with its scales, and some weights that stay in 16 bits."""
    kept = min(parameters, in_16_bits)
    return nominal_weights_bytes(parameters - kept, bits) + nominal_weights_bytes(kept, 16)
