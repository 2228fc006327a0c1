"""The KV cache: bytes a token, from the model's shape.

Source: vLLM `v1/kv_cache_interface.py`, llama.cpp `src/llama-kv-cache.cpp`; both are held against real loads in
docs/memory-loads.md. The lesson's formula (layers x heads x head_dim x 2 x tokens x 2 bytes) is that of multi-head
attention: with grouped queries it is the KV heads that count.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import ModelShape


class ShapeUnknownError(InputError):
    """A checkpoint that does not say what its KV cache depends on."""

    code = "shape-unknown"
    title = "Unknown shape"


class KvType(NamedTuple):
    """How elements of the cache are stored: `block` of them take `size` bytes."""

    block: int
    size: int

    def bytes_of(self, elements: int) -> int:
        """Bytes of so many elements, whole blocks."""
        return -(-elements // self.block) * self.size


KV_TYPES = {
    "f32": KvType(1, 4), "f16": KvType(1, 2), "bf16": KvType(1, 2), "fp8": KvType(1, 1), "fp8_e4m3": KvType(1, 1),
    "fp8_e5m2": KvType(1, 1), "q8_0": KvType(32, 34), "q5_1": KvType(32, 24), "q5_0": KvType(32, 22),
    "q4_1": KvType(32, 20), "q4_0": KvType(32, 18), "iq4_nl": KvType(32, 18),
}  # fmt: skip
"""Type of the cache -> its storage. vLLM takes the 16-bit and 8-bit ones, llama.cpp those that are no fp8."""


class KvLayers(NamedTuple):
    """Layers whose cache is alike.

    Attributes:
        layers: how many of them.
        kv_heads: of one layer; 1 for latent attention, which all GPUs keep whole.
        elements: of one token, layer and KV head: key and value together.
        window: tokens that such a layer keeps; None for all.
        latent: multi-head latent attention: not divided by tensor parallelism.
    """

    layers: int
    kv_heads: int
    elements: int
    window: int | None = None
    latent: bool = False

    def elements_per_gpu(self, tp: int) -> int:
        """Of one token and layer on one of `tp` GPUs; a KV head is never split, so below one head each has a copy."""
        return self.elements if self.latent else self.elements * max(1, -(-self.kv_heads // tp))


def kv_layers(shape: ModelShape) -> tuple[KvLayers, ...]:
    """The groups of a model's layers that have a cache of their own.

    Raises:
        ShapeUnknownError: the checkpoint does not give layers, heads or their size.
    """
    layers = shape.attention_layers if shape.attention_layers is not None else shape.layers
    if layers is None:
        raise _unknown("layers")
    layers -= min(layers, shape.shared_kv_layers or 0)
    if shape.mla:
        if shape.kv_lora_rank is None:
            raise _unknown("the rank of its latent attention")
        return (KvLayers(layers, 1, shape.kv_lora_rank + (shape.qk_rope_head_dim or 0), latent=True),)
    if shape.head_dim is None:
        raise _unknown("the size of a head")
    alike = _alike(shape, layers)
    return tuple(_group(shape, shape.head_dim, *kind, count) for kind, count in sorted(alike.items()) if count > 0)


def _alike(shape: ModelShape, layers: int) -> dict[tuple[int, bool], int]:
    """KV heads, and whether there is a window -> so many of `layers`. Never a loop over layers that a file claims."""
    if shape.kv_heads_per_layer is not None:
        windows = shape.sliding_per_layer or (shape.sliding_window is not None,) * len(shape.kv_heads_per_layer)
        own = [kind for kind in zip(shape.kv_heads_per_layer, windows, strict=False) if kind[0]]
        return Counter(own[:layers])
    if shape.kv_heads is None:
        raise _unknown("KV heads")
    sliding = 0 if shape.sliding_window is None else layers if shape.sliding_layers is None else shape.sliding_layers
    return {(shape.kv_heads, True): min(sliding, layers), (shape.kv_heads, False): layers - min(sliding, layers)}


def _group(shape: ModelShape, head_dim: int, kv_heads: int, sliding: bool, layers: int) -> KvLayers:
    if sliding and shape.sliding_head_dim:
        return KvLayers(layers, kv_heads, 2 * shape.sliding_head_dim, shape.sliding_window)
    elements = head_dim + (shape.head_dim_v or head_dim)
    return KvLayers(layers, kv_heads, elements, shape.sliding_window if sliding else None)


def bytes_per_token(shape: ModelShape, kind: KvType, tp: int = 1) -> int:
    """Of one more token, in all layers, on one of `tp` GPUs. In sliding-window layers only until the window is full."""
    return sum(group.layers * kind.bytes_of(group.elements_per_gpu(tp)) for group in kv_layers(shape))


def _unknown(what: str) -> ShapeUnknownError:
    return ShapeUnknownError(
        f"The checkpoint does not say {what}, so its KV cache cannot be planned.",
        "Fetch the config.json that the model was published with.",
    )
