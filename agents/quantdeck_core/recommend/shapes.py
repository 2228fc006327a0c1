"""A model of which only the size is known: the shape that models of that size usually have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.weights import nominal_weights_bytes

Positive = Annotated[int, Meta(ge=1)]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dimensions of a published model, as its config.json has them. `tied`: no output matrix of its own."""

    name: str
    parameters: Positive
    layers: Positive
    hidden_size: Positive
    intermediate_size: Positive
    heads: Positive
    kv_heads: Positive
    head_dim: Positive
    vocab_size: Positive
    tied: bool = False


def usual_shape(parameters: int, shapes: Sequence[Shape]) -> Shape:
    """The shape whose size is nearest, as a ratio."""
    return min(shapes, key=lambda shape: abs(math.log(parameters / shape.parameters)))


def model_of_size(parameters: int, shape: Shape) -> Checkpoint:
    """A BF16 model of so many parameters in this shape. Its context is not known, so it limits nothing."""
    dimensions = {
        name: getattr(shape, name) for name in Shape.__struct_fields__ if name not in ("name", "parameters", "tied")
    }
    return Checkpoint(
        format="safetensors",
        label="BF16",
        scheme="bf16",
        bits=16,
        parameters=parameters,
        weights_bytes=nominal_weights_bytes(parameters, 16),
        tied=shape.tied,
        **dimensions,
    )
