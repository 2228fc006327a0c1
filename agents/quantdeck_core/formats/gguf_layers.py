"""Which layers of a GGUF model keep what, as llama.cpp decides it.

Source: llama.cpp of October 2026, `src/models/*.cpp` (`load_swa_pattern`, `set_swa_pattern`, `is_recr_impl`),
`src/llama-hparams.cpp` (`has_kv`, patterns) and `src/llama-model.cpp` (`create_memory`). Much of it is not in the
file: a window in the metadata of an architecture that is not in the table has no effect.
"""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.fields import Json, positive
from quantdeck_core.formats.layers import LAYERS_LIMIT, Kind, Layers, count_layers


class Window(NamedTuple):
    """How an architecture uses a window.

    Attributes:
        period: every how many layers one sees all tokens; 0: none does; None: the file lists the layers.
        first: whether that one is the first of each group instead of the last.
        usual: tokens where the file says nothing; None: then there is no window.
        fixed: tokens, whatever the file says; 0 in the file still means none.
        layers: only models with so many layers have one.
    """

    period: int | None
    first: bool = False
    usual: int | None = None
    fixed: int | None = None
    layers: int | None = None


WINDOWS = {
    "afmoe": Window(4),
    "cohere2": Window(4),
    "cohere2moe": Window(4, first=True),
    "deepseek4": Window(0),
    "dots3note": Window(None),
    "exaone-moe": Window(4, usual=128),
    "exaone4": Window(4, usual=4096, layers=64),
    "gemma2": Window(2, usual=4096),
    "gemma3": Window(6),
    "gemma3n": Window(5),
    "gemma4": Window(None),
    "gpt-oss": Window(2),
    "granite_swa": Window(None),
    "laguna": Window(4, first=True),
    "lfm2": Window(0),
    "llama4": Window(4, usual=8192, fixed=8192),
    "maple": Window(None),
    "mellum": Window(4),
    "mimo2": Window(None),
    "muse-glimmer": Window(4),
    "olmo2": Window(4),
    "plamo3": Window(8),
    "smallthinker": Window(4, first=True, fixed=4096),
    "spark2_5": Window(None),
    "step35": Window(None),
}
"""`general.architecture` -> its window. Encoders, which keep nothing, are left out."""

INTERVALS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
"""Architectures with linear attention -> every how many layers one has full attention, unless the file says."""

RECURRENT = ("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")
"""Architectures without any attention."""

_GEMMA3N_OWN = 20
"""Layers of Gemma 3n that have a cache of their own, whatever the file says."""


def read_layers(architecture: str, own: Json, layers: int | None, kv_heads: int | None) -> Layers:
    """The layers of a model.

    Args:
        own: metadata without the architecture's name before it.
        layers: those of the model itself, without the ones that predict further tokens.

    Raises:
        ConfigError: a number is none.
    """
    window = positive(own, "attention.sliding_window")
    if layers is None or layers > LAYERS_LIMIT:
        return Layers(sliding_window=window)
    kinds: list[Kind] = ["full"] * layers
    if rule := WINDOWS.get(architecture):
        window = _tokens(rule, own, window, layers)
        if window:
            kinds = ["sliding" if slides else "full" for slides in _pattern(rule, own, layers)]
    heads = own.get("attention.head_count_kv")
    per_layer = _numbers(heads, layers) if isinstance(heads, list) else None
    for i, without in enumerate(_without_cache(architecture, own, layers, per_layer)):
        kinds[i] = "none" if without else kinds[i]
    shared = layers - _GEMMA3N_OWN if architecture == "gemma3n" else positive(own, "attention.shared_kv_layers")
    if per_layer is None and kv_heads is not None:
        per_layer = [kv_heads] * layers
    return count_layers(kinds, window=window, shared=shared, kv_heads=per_layer)


def _tokens(rule: Window, own: Json, said: int | None, layers: int) -> int | None:
    if rule.layers not in (None, layers):
        return None
    if "attention.sliding_window" in own:
        return (rule.fixed or said) if said else None
    return rule.usual


def _pattern(rule: Window, own: Json, layers: int) -> list[bool]:
    """Which layers have the window: as the file lists them, else by the period in the file or the table."""
    listed = own.get("attention.sliding_window_pattern")
    if isinstance(listed, list):
        return _flags(listed, layers)
    period = positive(own, "attention.sliding_window_pattern") or rule.period
    if not period:
        return [period == 0] * layers
    return [i % period != (0 if rule.first else period - 1) for i in range(layers)]


def _without_cache(architecture: str, own: Json, layers: int, per_layer: list[int] | None) -> list[bool]:
    if architecture in RECURRENT:
        return [True] * layers
    recurrent = own.get("attention.recurrent_layers")
    if isinstance(recurrent, list):
        return _flags(recurrent, layers)
    if usual := INTERVALS.get(architecture):
        interval = positive(own, "full_attention_interval") or usual
        return [(i + 1) % interval != 0 for i in range(layers)]
    return [count == 0 for count in per_layer or [1] * layers]


def _flags(values: list[object], layers: int) -> list[bool]:
    """A truth for each layer; False where the list is too short."""
    return ([bool(value) for value in values] + [False] * layers)[:layers]


def _numbers(values: list[object], layers: int) -> list[int] | None:
    """A count for each layer; None where they are none."""
    counts = [value for value in values[:layers] if isinstance(value, int) and 0 <= value <= 1 << 20]
    return counts if len(counts) == layers else None
