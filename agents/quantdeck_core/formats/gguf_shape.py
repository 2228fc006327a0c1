"""The model's shape from a GGUF's metadata."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.formats.fields import Json, positive, text
from quantdeck_core.formats.gguf_header import GgufTensor
from quantdeck_core.formats.gguf_layers import read_layers


def read_shape(body: Json, tensors: Iterable[GgufTensor]) -> ModelShape:
    """The keys of `ModelShape`; of lists with one value a layer (`head_count`) the largest entry.

    Raises:
        ConfigError: a number is none.
    """
    architecture = text(body, "general.architecture")
    own = {key.removeprefix(f"{architecture}."): value for key, value in body.items()}
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
    heads, hidden = positive(lists, "attention.head_count"), positive(lists, "embedding_length")
    kv_heads = positive(lists, "attention.head_count_kv") or heads
    head_dim = positive(lists, "attention.key_length") or (hidden // heads if hidden and heads else None)
    sliding_head_dim = positive(lists, "attention.key_length_swa")
    layers = _layers(lists)
    experts = positive(lists, "expert_count")
    dense = positive(lists, "feed_forward_length")
    rank = positive(lists, "attention.kv_lora_rank")
    # Files from before llama.cpp's own MLA (April 2025) keep keys and values of every head.
    mla = rank is not None and positive(lists, "attention.key_length_mla") is not None
    return ModelShape(
        architecture=architecture,
        layers=layers,
        hidden_size=hidden,
        vocab_size=_vocabulary(tensors) or positive(lists, "vocab_size"),
        intermediate_size=(positive(lists, "expert_feed_forward_length") or dense) if experts else dense,
        experts=experts,
        experts_used=positive(lists, "expert_used_count"),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        head_dim_v=positive(lists, "attention.value_length"),
        sliding_head_dim=sliding_head_dim if sliding_head_dim != head_dim else None,
        context_length=positive(lists, "context_length"),
        mla=mla,
        kv_lora_rank=rank,
        qk_rope_head_dim=positive(lists, "rope.dimension_count") if rank else None,
        **msgspec.structs.asdict(read_layers(architecture or "", lists, layers, kv_heads)),
    )


def _layers(own: Json) -> int | None:
    """Those of the model itself: `block_count` has the layers that predict further tokens (MTP) in it."""
    blocks = positive(own, "block_count")
    further = positive(own, "nextn_predict_layers") or 0
    return blocks - further if blocks is not None and blocks > further else blocks


def _vocabulary(tensors: Iterable[GgufTensor]) -> int | None:
    """Tokens: the rows of the embedding."""
    return next((tensor.shape[-1] for tensor in tensors if tensor.name == "token_embd.weight"), None)
