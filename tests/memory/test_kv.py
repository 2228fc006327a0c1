"""The KV cache by the model's shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.memory.kv import KV_TYPES, KvLayers, ShapeUnknownError, bytes_per_token, kv_layers

F16, Q8 = KV_TYPES["f16"], KV_TYPES["q8_0"]
MHA = ModelShape(layers=32, heads=32, kv_heads=32, head_dim=128)
GQA = ModelShape(layers=32, heads=32, kv_heads=8, head_dim=128)
MQA = ModelShape(layers=32, heads=32, kv_heads=1, head_dim=128)
GEMMA = ModelShape(layers=6, heads=8, kv_heads=4, head_dim=256, sliding_window=512, sliding_layers=5)
MLA = ModelShape(layers=61, heads=128, kv_heads=128, head_dim=192, mla=True, kv_lora_rank=512, qk_rope_head_dim=64)


@pytest.mark.parametrize(
    ("shape", "tp", "expected"),
    [
        (MHA, 1, 512 * 1024),
        (GQA, 1, 128 * 1024),
        (GQA, 4, 32 * 1024),
        (GQA, 16, 16 * 1024),
        (MQA, 8, 16 * 1024),
        (MLA, 1, 61 * 576 * 2),
        (MLA, 8, 61 * 576 * 2),
    ],
)
def test_a_token(shape: ModelShape, tp: int, expected: int) -> None:
    """With more GPUs than KV heads each GPU keeps a copy of one; latent vectors are whole on each."""
    assert bytes_per_token(shape, F16, tp) == expected


def test_the_lessons_formula_is_that_of_multi_head_attention() -> None:
    """7B, 4096 tokens, 32 sequences: 64 GiB, where the lesson says 8 to 12 GB; with 8 KV heads 16 GiB."""
    assert 32 * 4096 * bytes_per_token(MHA, F16) == 64 * 2**30
    assert 32 * 4096 * bytes_per_token(GQA, F16) == 16 * 2**30


def test_quantized_caches_have_scales() -> None:
    assert bytes_per_token(GQA, Q8) == bytes_per_token(GQA, F16) * 34 // 64


def test_sliding_layers_are_a_group_of_their_own() -> None:
    assert kv_layers(GEMMA) == (KvLayers(1, 4, 512), KvLayers(5, 4, 512, 512))


def test_layers_that_have_no_cache_or_share_one() -> None:
    hybrid = ModelShape(layers=32, attention_layers=4, heads=32, kv_heads=8, head_dim=128)
    shared = ModelShape(layers=30, shared_kv_layers=10, heads=8, kv_heads=2, head_dim=256)
    uneven = ModelShape(layers=4, heads=8, kv_heads=4, head_dim=64, kv_heads_per_layer=(0, 4, 2, 4))
    assert bytes_per_token(hybrid, F16) == 4 * 8 * 256 * 2
    assert bytes_per_token(shared, F16) == 20 * 2 * 512 * 2
    assert bytes_per_token(uneven, F16) == (4 + 2 + 4) * 128 * 2


def test_values_may_be_of_another_size_than_keys() -> None:
    shape = ModelShape(layers=1, heads=1, kv_heads=1, head_dim=192, head_dim_v=128)
    assert bytes_per_token(shape, F16) == 320 * 2


@pytest.mark.parametrize(
    "shape",
    [
        ModelShape(heads=32, kv_heads=32, head_dim=128),
        ModelShape(layers=32, heads=32, head_dim=128),
        ModelShape(layers=32, heads=32, kv_heads=32),
        ModelShape(layers=32, mla=True),
    ],
)
def test_what_the_checkpoint_does_not_say_is_not_guessed(shape: ModelShape) -> None:
    with pytest.raises(ShapeUnknownError, match="does not say"):
        kv_layers(shape)


@given(
    kv_heads=st.integers(1, 64),
    tp=st.sampled_from([1, 2, 4, 8]),
    window=st.none() | st.integers(1, 10_000),
)
def test_all_gpus_together_keep_at_least_the_whole(kv_heads: int, tp: int, window: int | None) -> None:
    shape = ModelShape(layers=3, heads=64, kv_heads=kv_heads, head_dim=64, sliding_window=window)
    whole, part = bytes_per_token(shape, F16), bytes_per_token(shape, F16, tp)
    assert whole <= part * tp
    assert part <= whole
