"""Which layers of a Hugging Face model keep what: full attention, a sliding window, or nothing.

Sources: the `configuration_*.py` of transformers 5.19 (the defaults where a key is absent are theirs), and vLLM 0.32:
a `sliding_window` without any word about layers holds for all of them (`engine/arg_utils.py`, `CacheConfig`).
"""

from __future__ import annotations

from collections.abc import Sequence

from quantdeck_core.formats.fields import Json, flag, integer, positive, section, text
from quantdeck_core.formats.layers import LAYERS_LIMIT, Kind, Layers, count_layers

_WITHOUT_CACHE = frozenset({
    "linear_attention", "linear", "mamba", "mamba2", "conv", "short_conv", "recurrent", "gdn", "moe", "mlp", "dense",
})  # fmt: skip
"""Names in `layer_types` of layers without keys and values; `-` of Nemotron-H's pattern is an `mlp`."""

_PERIOD = {
    "gemma2": 2, "gemma3": 6, "gemma3_text": 6, "gemma3n": 5, "gemma3n_text": 5, "cohere2": 4, "exaone4": 4,
    "exaone_moe": 4, "gpt_oss": 2, "gemma4_text": 6, "olmo3": 4, "vaultgemma": 2,
}  # fmt: skip
"""model_type -> every how many layers one sees all tokens, where the configuration does not say."""

_INTERVAL = {"qwen3_next": 4, "qwen3_5_text": 4, "qwen3_5_moe_text": 4}
"""model_type -> every how many layers one has attention, where the configuration does not say."""


def number_of_layers(body: Json) -> int | None:
    """Layers: as the configuration counts them, or as many as it describes (Nemotron-H).

    Raises:
        ConfigError: the number is none.
    """
    found = positive(body, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    if found and text(body, "model_type") == "longcat_flash" and "num_hidden_layers" not in body:
        return 2 * found  # each of its `num_layers` has two attentions
    described = None if found else _described(body, None)
    return len(described) if described else found


def read_layers(body: Json, layers: int | None, heads: int | None, kv_heads: int | None) -> Layers:
    """The layers, as far as the configuration tells them apart.

    Args:
        body: the language model's part of config.json.
        layers: `number_of_layers`.

    Raises:
        ConfigError: a number is none.
    """
    window = _window(body)
    if layers is None or layers > LAYERS_LIMIT:
        return Layers(sliding_window=window)
    kinds = (_described(body, layers) or _by_rule(body, layers, window))[:layers]
    per_layer = _kv_heads(body, kinds, heads, kv_heads)
    return count_layers(kinds, window=window, shared=positive(body, "num_kv_shared_layers"), kv_heads=per_layer)


def _window(body: Json) -> int | None:
    """In tokens. Qwen2 writes a window that it does not use."""
    if flag(body, "use_sliding_window") is False:
        return None
    return positive(body, "sliding_window", "attention_window_size", "attention_chunk_size")


def _described(body: Json, layers: int | None) -> list[Kind] | None:
    """One kind a layer, where each is named."""
    for name in ("layer_types", "layers_block_type"):
        listed = _list(body, name, layers)
        if listed is not None:
            return [_kind(entry) for entry in listed]
    cycle = body.get("block_types")
    if isinstance(cycle, list) and cycle and layers and layers <= LAYERS_LIMIT:
        # RecurrentGemma repeats (recurrent, recurrent, attention); its attention has a window.
        return ["none" if cycle[i % len(cycle)] == "recurrent" else "sliding" for i in range(layers)]
    pattern = body.get("hybrid_override_pattern")
    if isinstance(pattern, str) and 0 < len(pattern) <= LAYERS_LIMIT:
        return ["full" if letter == "*" else "none" for letter in pattern]
    listed = _list(body, "attn_type_list", layers)
    if listed is not None:
        return ["full" if entry == 1 else "none" for entry in listed]
    listed = _list(body, "block_configs", layers)
    if listed is not None:
        return ["none" if _heads_in(entry, 1) == 0 else "full" for entry in listed]
    return None


def _by_rule(body: Json, layers: int, window: int | None) -> list[Kind]:
    """One kind a layer, where a rule says which."""
    for name, first in (("attn_layer_indices", 0), ("full_attn_idxs", 0), ("full_attn_layers", 1)):
        source = section(body, "linear_attn_config") if first else body
        indices = source.get(name)
        if isinstance(indices, list) and len(indices) <= LAYERS_LIMIT:
            whole = {entry for entry in indices if isinstance(entry, int)}
            return ["full" if i + first in whole else "none" for i in range(layers)]
    model = text(body, "model_type")
    if model in ("mamba", "mamba2", "falcon_mamba") or (model or "").startswith("rwkv"):
        return ["none"] * layers
    if period := positive(body, "attn_layer_period"):
        offset = integer(body, "attn_layer_offset") or 0
        return ["full" if i % period == offset else "none" for i in range(layers)]
    if interval := positive(body, "full_attention_interval") or _INTERVAL.get(model or ""):
        return ["full" if (i + 1) % interval == 0 else "none" for i in range(layers)]
    return ["full"] * layers if window is None else _windowed(body, layers, model)


def _windowed(body: Json, layers: int, model: str | None) -> list[Kind]:
    """Layers of a model with a window, all of which have attention."""
    letters = body.get("sliding_window_pattern")
    if isinstance(letters, str) and 0 < len(letters) <= LAYERS_LIMIT:
        return ["sliding" if letters[i % len(letters)] == "L" else "full" for i in range(layers)]
    ropes = _list(body, "no_rope_layers", layers)
    if "attention_chunk_size" in body and ropes is not None:
        return ["sliding" if entry else "full" for entry in ropes]
    if "attention_chunk_size" in body:
        period = positive(body, "no_rope_layer_interval") or 4
    else:
        number = None if isinstance(letters, str) else positive(body, "sliding_window_pattern")
        period = number or _PERIOD.get(model or "", 0)
    if period:
        return ["sliding" if (i + 1) % period else "full" for i in range(layers)]
    begin = integer(body, "max_window_layers") or 0
    return ["sliding" if i >= begin else "full" for i in range(layers)]


def _kv_heads(body: Json, kinds: Sequence[Kind], heads: int | None, kv_heads: int | None) -> list[int] | None:
    """KV heads of each layer, where the configuration has more than one number for them."""
    for name in ("num_key_value_heads", "num_kv_heads"):
        listed = _list(body, name, len(kinds))
        if listed is not None:
            return [entry if isinstance(entry, int) and 0 <= entry <= 1 << 20 else 0 for entry in listed]
    blocks = _list(body, "block_configs", len(kinds))
    if blocks is not None and heads:
        return [_heads_in(block, heads) for block in blocks]
    # Gemma 4: fewer KV heads in the layers that see everything.
    wide = positive(body, "num_global_key_value_heads")
    if kv_heads is None:
        return None
    return [wide if wide and kind == "full" else kv_heads for kind in kinds]


def _heads_in(block: object, heads: int) -> int:
    """KV heads of a layer of Nemotron-NAS (`block_configs`): 0 where its attention was removed or replaced."""
    attention = section(block, "attention") if isinstance(block, dict) else {}
    if flag(attention, "no_op") or flag(attention, "replace_with_linear"):
        return 0
    if said := positive(attention, "num_key_value_heads"):
        return said
    return max(1, heads // (positive(attention, "n_heads_in_group") or 1))


def _kind(name: object) -> Kind:
    if not isinstance(name, str):
        return "full"
    if name in _WITHOUT_CACHE:
        return "none"
    return "sliding" if "sliding" in name or "chunked" in name else "full"


def _list(body: Json, name: str, layers: int | None) -> list[object] | None:
    """A list with an entry for each layer."""
    value = body.get(name)
    if not isinstance(value, list) or not 0 < len(value) <= LAYERS_LIMIT or (layers or 0) > len(value):
        return None
    return value[: layers or None]
