"""vLLM's KV cache: how many tokens fit into the bytes that it has for it.

Source: vLLM 0.32.0 `v1/core/kv_cache_utils.py` (groups, blocks, `get_kv_cache_capacity`) and
`v1/kv_cache_interface.py` (pages). Held against the log of real loads in docs/memory-loads.md: the same token for
token. Not covered: models with a recurrent state (Mamba), speculative decoding, decode context parallelism, and windows
beside layers of several page sizes, for which vLLM may pack blocks more tightly.
"""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.memory.kv import KvLayers, KvType, kv_layers

MANY_MORE = 1.5
"""Below this ratio of layers vLLM pads the smaller group instead of splitting the larger one."""


class VllmCache(NamedTuple):
    """How vLLM serves one model.

    Attributes:
        block_size: tokens of a block: 16 on GPUs, 128 on CPU unless given; 16 for latent attention on CPU.
        kind: type of the elements.
        tp: GPUs that share each layer.
        max_model_len: tokens of a sequence.
        in_flight: tokens that may be scheduled and not yet settled: `max_num_batched_tokens` times the batches that
            overlap (2 with asynchronous scheduling, which is the default where it can be had; with pipeline
            parallelism one for each stage).
    """

    block_size: int
    kind: KvType
    max_model_len: int
    in_flight: int
    tp: int = 1


class _Group(NamedTuple):
    """Layers that share a table of blocks: bytes of one block in all of them, and blocks of a full sequence."""

    block_bytes: int
    blocks: int


def max_concurrency(shape: ModelShape, available: int, cache: VllmCache) -> float:
    """Sequences of `max_model_len` that have room at once in `available` bytes of one GPU.

    Raises:
        ShapeUnknownError: the checkpoint does not give layers, heads or their size.
    """
    groups = _groups(kv_layers(shape), cache)
    blocks = available // max(group.block_bytes for group in groups)
    return blocks / sum(group.blocks for group in groups)


def kv_cache_tokens(shape: ModelShape, available: int, cache: VllmCache) -> int:
    """What vLLM logs as `KV cache size: N tokens`: concurrency times length, so windows make it larger.

    Raises:
        ShapeUnknownError: the checkpoint does not give layers, heads or their size.
    """
    return int(max_concurrency(shape, available, cache) * cache.max_model_len)


def cache_bytes(shape: ModelShape, sequences: int, cache: VllmCache) -> int:
    """What `sequences` of `max_model_len` take of one GPU: the smallest `available` for which they have room.

    Raises:
        ShapeUnknownError: as above.
    """
    groups = _groups(kv_layers(shape), cache)
    return sequences * sum(group.blocks for group in groups) * max(group.block_bytes for group in groups)


def _groups(layers: tuple[KvLayers, ...], cache: VllmCache) -> list[_Group]:
    """One table for all layers that keep the same tokens; where some have a window, tables of equally many layers."""
    pages = [(group, cache.block_size * _row_bytes(group, cache)) for group in layers]
    if len({group.window for group in layers}) == 1:
        size = sum(group.layers * page for group, page in pages)
        return [_Group(size, _blocks(layers[0].window, cache.block_size, cache))]
    fewest, most = min(group.layers for group in layers), max(group.layers for group in layers)
    each = most if most < fewest * MANY_MORE else fewest
    largest = max(page for _, page in pages)
    return [
        _Group(each * largest, _blocks(group.window, _tokens_of(page, largest, cache.block_size), cache))
        for group, page in pages
        for _ in range(-(-group.layers // each))
    ]


def _row_bytes(group: KvLayers, cache: VllmCache) -> int:
    return cache.kind.bytes_of(group.elements_per_gpu(cache.tp))


def _tokens_of(page: int, largest: int, block_size: int) -> int:
    """Smaller pages take more tokens where that fills the largest one, else they are padded."""
    return block_size * (largest // page) if largest % page == 0 else block_size


def _blocks(window: int | None, block_size: int, cache: VllmCache) -> int:
    """Of one full sequence. A window rarely begins where a block does, hence one more."""
    if window is None:
        return -(-cache.max_model_len // block_size)
    return -(-min(window - 1 + cache.in_flight, cache.max_model_len) // block_size) + 1
