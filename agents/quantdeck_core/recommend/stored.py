"""A model as it would be stored in a format of the table."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint, shape_fields
from quantdeck_core.memory.weights import mixed_weights_bytes, nominal_weights_bytes
from quantdeck_core.recommend.options import Option, Order, Quality

_FLOAT_BITS = 16


def stored(model: Checkpoint, option: Option) -> Checkpoint:
    """The model in this format: itself where it is that already, else with the bytes that the format takes.

    Raises:
        InputError: the model does not say how many parameters it has.
    """
    if is_stored_so(model, option):
        return model
    if model.parameters is None:
        raise InputError(
            "The checkpoint does not say how many parameters it has, so other formats cannot be counted.",
            "Name its size: --model-size 7B.",
        )
    if option.whole:
        weights = nominal_weights_bytes(model.parameters, option.stored_bits)
    else:
        kept = _embeddings(model) + (_qkv(model) if option.keeps_qkv else 0)
        weights = mixed_weights_bytes(model.parameters, option.stored_bits, kept)
    return Checkpoint(
        **shape_fields(model),
        format=option.format,
        label=option.title,
        scheme=option.scheme,
        bits=option.bits,
        group_size=option.group_size,
        sym=True if option.format == "gptq" else None,
        parameters=model.parameters,
        weights_bytes=weights,
        remote_code=model.remote_code,
    )


def is_stored_so(model: Checkpoint, option: Option) -> bool:
    """Whether a checkpoint is in this format already."""
    kinds = {(option.format, option.scheme)}
    if option.made_as:
        kinds.add((option.made_as.format, option.made_as.scheme))
    scheme = model.scheme or option.scheme
    if model.format == "safetensors" and model.bits == _FLOAT_BITS:
        scheme = "bf16"
    same_group = option.group_size is None or model.group_size == option.group_size
    return (model.format, scheme) in kinds and model.bits == option.bits and same_group and not option.keeps_qkv


def option_of(model: Checkpoint, options: tuple[Option, ...]) -> Option | None:
    """The format that a quantized checkpoint is in; made up where the table has none; None if it is not quantized."""
    for option in options:
        if is_stored_so(model, option):
            return None if option.control and model.format == "safetensors" else option
    if model.format == "safetensors":
        return None
    return Option(
        name="as-it-is",
        title=model.label,
        format=model.format,
        scheme=model.scheme or "",
        bits=model.bits or _FLOAT_BITS,
        stored_bits=model.bits or _FLOAT_BITS,
        group_size=model.group_size,
        engines=("vllm", "vllm-cpu", "llama-server"),
        quality=Quality(said="no figure in the table: measure", source=""),
        order=Order(balance=55, quality=55, speed=55),
        make=(),
    )


def as_made(checkpoint: Checkpoint, option: Option) -> Checkpoint:
    """The checkpoint as the tool in `make` writes it, for judging."""
    if option.made_as is None:
        return checkpoint
    return msgspec.structs.replace(checkpoint, format=option.made_as.format, scheme=option.made_as.scheme)


def _embeddings(model: Checkpoint) -> int:
    matrices = 1 if model.tied else 2
    return matrices * (model.vocab_size or 0) * (model.hidden_size or 0)


def _qkv(model: Checkpoint) -> int:
    heads = (model.heads or 0) + 2 * (model.kv_heads or 0)
    return (model.layers or 0) * (model.hidden_size or 0) * heads * (model.head_dim or 0)
