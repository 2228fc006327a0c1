"""Which model a measurement is about: by what its headers say, not by where it lies."""

from __future__ import annotations

import hashlib

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint

_FACTS = (
    "format", "scheme", "bits", "group_size", "desc_act", "parameters", "weights_bytes", "tensor_bytes",
    "architecture", "layers", "hidden_size", "intermediate_size", "vocab_size", "experts", "heads", "kv_heads",
    "head_dim", "head_dim_v", "sliding_window", "kv_lora_rank", "qk_rope_head_dim",
)  # fmt: skip
_LENGTH = 16
"""Hexadecimal digits: 64 bits, far from a coincidence among the models of one person."""


def model_digest(checkpoint: Checkpoint) -> str:
    """16 hexadecimal digits of SHA-256, the same for two checkpoints that take the same memory.

    Copies and fine-tunes share it; another quantization of the same model does not. What the checkpoint does not say is
    left out, so a fact that quantdeck learns to read later makes another digest, and never mixes two models.
    """
    said = {name: value for name in _FACTS if (value := getattr(checkpoint, name)) is not None}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:_LENGTH]
