"""Layers of one model, counted by what they keep of each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Kind = Literal["full", "sliding", "none"]
"""Keys and values of all tokens; of a window's tokens; none at all (a state of fixed size, or only a feed-forward)."""
LAYERS_LIMIT = 4096
"""Layers that are looked at one by one."""


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """As the attributes of `ModelShape` with these names."""

    attention_layers: int | None = None
    shared_kv_layers: int | None = None
    kv_heads_per_layer: tuple[int, ...] | None = None
    sliding_window: int | None = None
    sliding_layers: int | None = None
    sliding_per_layer: tuple[bool, ...] | None = None


def count_layers(
    kinds: Sequence[Kind],
    *,
    window: int | None = None,
    shared: int | None = None,
    kv_heads: Sequence[int] | None = None,
) -> Layers:
    """One layer after the other.

    Args:
        window: tokens; without one, a sliding layer sees all.
        shared: layers at the end that use an earlier layer's cache.
        kv_heads: of each layer, if known; ignored where there are not as many as layers.
    """
    shared = shared if shared and shared < len(kinds) else None
    own = kinds[: len(kinds) - (shared or 0)]
    cached = sum(kind != "none" for kind in kinds)
    sliding = sum(kind == "sliding" for kind in own) if window else 0
    heads: tuple[int, ...] | None = None
    if kv_heads is not None and len(kv_heads) == len(kinds):
        heads = tuple(0 if kind == "none" else count for kind, count in zip(kinds, kv_heads, strict=True))
    differ = heads is not None and len(set(heads)) > 1
    if heads is not None and shared:
        heads = heads[:-shared] + (0,) * shared
    return Layers(
        attention_layers=cached if cached < len(kinds) else None,
        shared_kv_layers=shared,
        kv_heads_per_layer=heads if differ else None,
        sliding_window=window,
        sliding_layers=sliding if window else None,
        sliding_per_layer=tuple(kind == "sliding" for kind in kinds) if differ and window else None,
    )
