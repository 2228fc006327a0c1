"""llama.cpp's KV cache: all of it is allocated, and written to, when the model is loaded.

Source: llama.cpp of 1 October 2026, `src/llama-context.cpp` (lengths), `src/llama-kv-cache.cpp` (tensors),
`src/llama-kv-cache-iswa.cpp` (sliding windows). Held against loads in docs/memory-loads.md: the same to the byte that
the engine's log shows.
"""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.memory.kv import KvLayers, KvType, kv_layers

CELLS_MULTIPLE = 256
"""llama.cpp rounds contexts and sliding windows up to so many tokens."""
UBATCH = 512
"""Tokens of a prompt that are computed at once, by llama.cpp's default (`--ubatch-size`)."""
CHECKPOINTS = 32
"""Copies of its sliding-window cache that the server keeps for a slot at most, by default (`--ctx-checkpoints`)."""


class LlamacppContext(NamedTuple):
    """The context that llama.cpp makes of its settings.

    Attributes:
        cells: tokens that one stream has room for.
        streams: caches side by side: one a slot, or one for all where the cache is unified.
        sequences: slots.
        ubatch: tokens computed at once.
    """

    cells: int
    streams: int
    sequences: int
    ubatch: int

    @property
    def tokens(self) -> int:
        """Room of all streams: what the log calls n_ctx."""
        return self.cells * self.streams

    def window_cells(self, window: int) -> int:
        """Cells of one stream in a layer with a sliding window: the batch that is being read needs room beside it."""
        kept = window * (self.sequences if self.streams == 1 else 1) + self.ubatch
        return _padded(min(self.cells, kept))


class LlamacppKv(NamedTuple):
    """Bytes of the cache in memory.

    Attributes:
        full: layers that see every token.
        sliding: layers with a window.
        checkpoint: one copy of a slot's sliding-window cache, that the server keeps to go back to (0 without windows).
    """

    full: int
    sliding: int
    checkpoint: int

    @property
    def total(self) -> int:
        """What the log calls KV buffers."""
        return self.full + self.sliding


def context_of(
    n_ctx: int, sequences: int, *, batch: int = UBATCH, ubatch: int = UBATCH, unified: bool = False
) -> LlamacppContext:
    """The context for `--ctx-size`, `--parallel`, `--batch-size`, `--ubatch-size` and `--kv-unified`.

    Args:
        n_ctx: tokens of all slots together, above 0.
    """
    computed = min(n_ctx, batch, ubatch)
    if unified:
        return LlamacppContext(_padded(n_ctx), 1, sequences, computed)
    return LlamacppContext(_padded(_padded(n_ctx) // sequences), sequences, sequences, computed)


def kv_cache(
    shape: ModelShape, context: LlamacppContext, keys: KvType, values: KvType, *, swa_full: bool = False
) -> LlamacppKv:
    """What llama.cpp allocates for keys and values.

    Args:
        swa_full: layers with a sliding window keep all tokens all the same (`--swa-full`).

    Raises:
        ShapeUnknownError: the checkpoint does not give layers, heads or their size.
    """
    full = sliding = a_slot = 0
    for group in kv_layers(shape):
        each = group.layers * _row_bytes(shape, group, keys, values)
        if group.window is None:
            full += each * context.tokens
        else:
            cells = context.cells if swa_full else context.window_cells(group.window)
            sliding += each * cells * context.streams
            a_slot += 0 if swa_full else each * min(cells, group.window)
    return LlamacppKv(full, sliding, a_slot)


def _row_bytes(shape: ModelShape, group: KvLayers, keys: KvType, values: KvType) -> int:
    """Of one token in one layer. Latent attention keeps one vector, typed as keys are."""
    if group.latent:
        return keys.bytes_of(group.elements)
    key = shape.head_dim or 0
    return keys.bytes_of(key * group.kv_heads) + values.bytes_of((group.elements - key) * group.kv_heads)


def _padded(cells: int) -> int:
    return -(-cells // CELLS_MULTIPLE) * CELLS_MULTIPLE
