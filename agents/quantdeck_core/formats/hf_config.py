"""The model's shape from a Hugging Face `config.json`."""

from __future__ import annotations

import msgspec

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.formats.errors import ConfigError
from quantdeck_core.formats.fields import Json, flag, positive, section, shown, text
from quantdeck_core.formats.hf_defaults import with_defaults
from quantdeck_core.formats.hf_feed_forward import read_experts, read_intermediate_size
from quantdeck_core.formats.hf_layers import number_of_layers, read_layers

_NESTED = ("text_config", "llm_config", "lm_config", "language_config", "thinker_config", "lfm")
"""Where models that see or hear keep the language model's part."""

_FULL_KEYS = ("minicpm3",)
"""Families with latent attention for which vLLM keeps every head's key and value all the same (padded to the key)."""


def read_shape(config: Json) -> ModelShape:
    """Layers, heads and context; the names that other families use are tried after Llama's.

    Raises:
        ConfigError: a number is none, or cannot be.
    """
    body = language_part(config)
    heads = positive(body, "num_attention_heads", "n_head", "n_heads", "num_heads")
    hidden = positive(body, "hidden_size", "n_embd", "d_model", "dim")
    kv_heads = _kv_heads(body, heads)
    head_dim = positive(body, "head_dim", "kv_channels", "d_kv", "attention_head_dim")
    if head_dim is None and heads and hidden:
        head_dim = hidden // heads
    wide = positive(body, "global_head_dim")
    rank = positive(body, "kv_lora_rank")
    value_dim = positive(body, "v_head_dim")
    if rank and text(body, "model_type") in _FULL_KEYS:
        head_dim = (positive(body, "qk_nope_head_dim") or 0) + (positive(body, "qk_rope_head_dim") or 0) or head_dim
        rank = value_dim = None
    layers = number_of_layers(body)
    experts, experts_used = read_experts(body)
    shape = ModelShape(
        architecture=_first_architecture(config) or text(config, "model_type"),
        text_architecture=None if body is config else _first_architecture(body),
        layers=layers,
        hidden_size=hidden,
        vocab_size=positive(body, "vocab_size") or positive(config, "vocab_size"),
        intermediate_size=read_intermediate_size(body, hidden, experts),
        experts=experts,
        experts_used=experts_used,
        heads=heads,
        kv_heads=kv_heads,
        # Gemma 4: `head_dim` is that of the layers with a window.
        head_dim=wide or head_dim,
        sliding_head_dim=head_dim if wide and wide != head_dim else None,
        head_dim_v=value_dim,
        context_length=positive(
            body, "max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length", "n_ctx"
        ),
        mla=rank is not None,
        kv_lora_rank=rank,
        qk_rope_head_dim=positive(body, "qk_rope_head_dim") if rank else None,
        **msgspec.structs.asdict(read_layers(body, layers, heads, kv_heads)),
    )
    if shape.heads and shape.kv_heads and shape.kv_heads > shape.heads:
        raise ConfigError(
            f"config.json says {shape.kv_heads} KV heads for {shape.heads} heads.",
            "Compare it with the configuration that the model was published with.",
        )
    return shape


def language_part(config: Json) -> Json:
    """The section that describes the language model: the whole, unless a nested one has the layers."""
    for name in _NESTED:
        nested = section(config, name)
        if nested:
            return language_part(nested) if name == "thinker_config" else with_defaults(nested)
    return config


def remote_code(config: Json) -> tuple[str, ...]:
    """What the checkpoint would have an engine execute: the values of `auto_map`, which name classes in its files."""
    parts = (config, *(section(config, name) for name in _NESTED))
    return tuple(shown(str(value)) for part in parts for value in list(section(part, "auto_map").values())[:20])


def _first_architecture(config: Json) -> str | None:
    names = config.get("architectures")
    return shown(names[0]) if isinstance(names, list) and names and isinstance(names[0], str) else None


def _kv_heads(body: Json, heads: int | None) -> int | None:
    """KV heads: as many as heads where the model does not share them; one where it says `multi_query`."""
    said = positive(body, "num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
    if said is None and flag(body, "multi_query"):
        return 1
    return said or heads
