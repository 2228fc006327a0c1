"""Layers, heads, windows and experts, from configurations as they are published and as converters write metadata."""

from __future__ import annotations

from typing import Any

import pytest

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.formats.errors import ConfigError
from quantdeck_core.formats.gguf_shape import read_shape as read_gguf_shape
from quantdeck_core.formats.hf_config import read_shape

BASE = {"hidden_size": 256, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 2}
SLIDING, FULL, LINEAR = "sliding_attention", "full_attention", "linear_attention"


def hf_shape(**config: Any) -> ModelShape:
    return read_shape({**BASE, **config})


def layers(shape: ModelShape) -> tuple[int | None, int | None, int | None, int | None]:
    return shape.attention_layers, shape.shared_kv_layers, shape.sliding_window, shape.sliding_layers


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (None, None, None, None)),
        # A window for every layer, unless the configuration or its family says which.
        ({"model_type": "mistral", "sliding_window": 4096}, (None, None, 4096, 8)),
        ({"model_type": "mistral", "sliding_window": None}, (None, None, None, None)),
        ({"model_type": "gemma2", "sliding_window": 4096}, (None, None, 4096, 4)),
        ({"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 4}, (None, None, 512, 6)),
        ({"model_type": "gemma3_text", "sliding_window": 512}, (None, None, 512, 7)),
        ({"model_type": "cohere2", "sliding_window": 4096}, (None, None, 4096, 6)),
        ({"model_type": "exaone4", "sliding_window": 4096, "sliding_window_pattern": "LLLG"}, (None, None, 4096, 6)),
        ({"model_type": "gpt_oss", "sliding_window": 128}, (None, None, 128, 4)),
        ({"layer_types": [SLIDING, FULL] * 4, "sliding_window": 64}, (None, None, 64, 4)),
        ({"layer_types": [SLIDING, FULL] * 4, "sliding_window": None}, (None, None, None, None)),
        ({"layer_types": [FULL] * 8, "sliding_window": 64}, (None, None, 64, 0)),
        # Qwen2: the first `max_window_layers` see everything; most of its checkpoints do not use the window at all.
        (
            {"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": True, "max_window_layers": 5},
            (None, None, 64, 3),
        ),
        ({"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": False}, (None, None, None, None)),
        # Llama 4: chunks.
        ({"model_type": "llama4_text", "attention_chunk_size": 8192}, (None, None, 8192, 6)),
        (
            {"model_type": "llama4_text", "attention_chunk_size": 8192, "no_rope_layers": [1, 0] * 4},
            (None, None, 8192, 4),
        ),
        # Gemma 3n: the last layers use the caches of earlier ones.
        (
            {"model_type": "gemma3n_text", "num_hidden_layers": 35, "sliding_window": 512, "num_kv_shared_layers": 15},
            (None, 15, 512, 16),
        ),
        # Hybrids.
        ({"model_type": "qwen3_next"}, (2, None, None, None)),
        ({"model_type": "qwen3_next", "full_attention_interval": 2}, (4, None, None, None)),
        ({"layer_types": ["mamba"] * 7 + ["attention"]}, (1, None, None, None)),
        ({"layer_types": ["conv", FULL] * 4}, (4, None, None, None)),
        ({"full_attn_idxs": [2, 5, 7]}, (3, None, None, None)),
        ({"layers_block_type": ["mamba", "hybrid"] * 4}, (4, None, None, None)),
        ({"layers_block_type": ["hybrid"] * 8}, (None, None, None, None)),
        ({"hybrid_override_pattern": "M-M*-M-*"}, (2, None, None, None)),
        ({"hybrid_override_pattern": "ME*-", "num_hidden_layers": None}, (1, None, None, None)),
        ({"model_type": "qwen3_5_text"}, (2, None, None, None)),
        ({"attn_layer_period": 8, "attn_layer_offset": 4}, (1, None, None, None)),
        ({"attn_layer_indices": [1, 6]}, (2, None, None, None)),
        ({"attn_type_list": [0, 0, 0, 1] * 2}, (2, None, None, None)),
        ({"linear_attn_config": {"full_attn_layers": [4, 8]}}, (2, None, None, None)),
        (
            {"block_types": ["recurrent", "recurrent", "attention"], "attention_window_size": 2048},
            (2, None, 2048, 2),
        ),
        ({"model_type": "mamba2"}, (0, None, None, None)),
        ({"layer_types": [LINEAR, SLIDING, LINEAR, FULL] * 2, "sliding_window": 64}, (4, None, 64, 2)),
        # Lists that do not fit the number of layers say nothing.
        ({"layer_types": [LINEAR]}, (None, None, None, None)),
        ({"layer_types": [LINEAR] * 5000}, (None, None, None, None)),
    ],
)
def test_layers_of_hugging_face_models(config: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    assert layers(hf_shape(**config)) == expected


def test_heads_that_differ_by_layer() -> None:
    blocks = [{"attention": {"n_heads_in_group": 4}}, {"attention": {"no_op": True}}] * 4
    nas = hf_shape(num_key_value_heads=None, block_configs=blocks)
    assert (nas.kv_heads_per_layer, nas.attention_layers) == ((2, 0) * 4, 4)
    openelm = hf_shape(num_key_value_heads=[1, 1, 2, 2, 3, 3, 4, 4])
    assert (openelm.kv_heads_per_layer, openelm.kv_heads) == ((1, 1, 2, 2, 3, 3, 4, 4), 4)
    gemma4 = hf_shape(
        model_type="gemma4_text",
        sliding_window=512,
        layer_types=[SLIDING, SLIDING, SLIDING, FULL] * 2,
        num_key_value_heads=8,
        num_global_key_value_heads=2,
        head_dim=256,
        global_head_dim=512,
    )
    assert gemma4.kv_heads_per_layer == (8, 8, 8, 2) * 2
    assert gemma4.sliding_per_layer == (True, True, True, False) * 2
    assert (gemma4.head_dim, gemma4.sliding_head_dim) == (512, 256)
    assert hf_shape(num_key_value_heads=[2] * 8).kv_heads_per_layer is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"intermediate_size": 1024}, (1024, None, None)),
        ({"model_type": "gpt2", "n_inner": None}, (1024, None, None)),
        ({"intermediate_size": 512, "num_local_experts": 8, "num_experts_per_tok": 2}, (512, 8, 2)),
        (
            {"intermediate_size": 9, "moe_intermediate_size": 5, "n_routed_experts": 64, "num_experts_per_tok": 6},
            (5, 64, 6),
        ),
        ({"intermediate_size": 9, "shared_intermediate_size": 7, "num_local_experts": 0}, (7, None, None)),
        ({"ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 16, "moe_top_k": 4}}, (96, 16, 4)),
    ],
)
def test_feed_forward_and_experts(config: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    shape = hf_shape(**config)
    assert (shape.intermediate_size, shape.experts, shape.experts_used) == expected


def test_what_multimodal_models_leave_out() -> None:
    llava = read_shape({"architectures": ["LlavaForConditionalGeneration"], "text_config": {"model_type": "llama"}})
    assert (llava.layers, llava.heads, llava.kv_heads, llava.head_dim, llava.vocab_size) == (32, 32, 32, 128, 32000)
    gemma = {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024}
    shape = read_shape({"architectures": ["Gemma3ForConditionalGeneration"], "text_config": gemma})
    assert (shape.heads, shape.kv_heads, shape.head_dim, shape.sliding_layers) == (8, 4, 256, 29)
    assert read_shape({"model_type": "llama"}).layers is None


def test_layers_counted_otherwise() -> None:
    assert hf_shape(hybrid_override_pattern="ME*-", num_hidden_layers=None).layers == 4
    assert read_shape({"model_type": "longcat_flash", "num_layers": 28}).layers == 56


def test_latent_attention() -> None:
    latent = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
    for q_lora_rank in (None, 1536):  # V2-Lite has none
        shape = hf_shape(model_type="deepseek_v3", q_lora_rank=q_lora_rank, **latent)
        assert (shape.mla, shape.kv_lora_rank, shape.qk_rope_head_dim) == (True, 512, 64)
    kept = hf_shape(model_type="minicpm3", **latent)
    assert (kept.mla, kept.head_dim, kept.head_dim_v) == (False, 192, None)


def gguf_shape(architecture: str, **own: Any) -> ModelShape:
    body = {
        "block_count": 12, "embedding_length": 256, "attention.head_count": 8, "attention.head_count_kv": 2,
        **{key.replace("__", "."): value for key, value in own.items()},
    }  # fmt: skip
    return read_gguf_shape(
        {"general.architecture": architecture, **{f"{architecture}.{key}": value for key, value in body.items()}}, ()
    )


WINDOW = {"attention__sliding_window": 512}


@pytest.mark.parametrize(
    ("architecture", "own", "expected"),
    [
        ("llama", {}, (None, None, None, None)),
        # llama.cpp ignores a window in architectures that its code does not give one.
        ("llama", WINDOW, (None, None, 512, 0)),
        ("phi3", WINDOW, (None, None, 512, 0)),
        ("gemma2", {}, (None, None, 4096, 6)),
        ("gemma3", WINDOW, (None, None, 512, 10)),
        ("gemma3", {}, (None, None, None, None)),
        ("cohere2", WINDOW, (None, None, 512, 9)),
        ("cohere2moe", WINDOW, (None, None, 512, 9)),
        ("gpt-oss", WINDOW, (None, None, 512, 6)),
        ("llama4", {}, (None, None, 8192, 9)),
        ("llama4", {"attention__sliding_window": 0}, (None, None, None, None)),
        ("exaone4", {"block_count": 64}, (None, None, 4096, 48)),
        ("exaone4", {"block_count": 30, **WINDOW}, (None, None, None, None)),
        ("gemma3", {**WINDOW, "attention__sliding_window_pattern": 4}, (None, None, 512, 9)),
        ("gemma4", {**WINDOW, "attention__sliding_window_pattern": (True, True, False) * 4}, (None, None, 512, 8)),
        ("gemma3n", {**WINDOW, "block_count": 30}, (None, 10, 512, 16)),
        (
            "gemma4",
            {**WINDOW, "attention__sliding_window_pattern": (True, False) * 6, "attention__shared_kv_layers": 4},
            (None, 4, 512, 4),
        ),
        ("jamba", {"attention__head_count_kv": (0, 0, 0, 8) * 3}, (3, None, None, None)),
        ("lfm2", {"attention__head_count_kv": (0, 8) * 6, **WINDOW}, (6, None, 512, 6)),
        ("qwen3next", {}, (3, None, None, None)),
        ("qwen35", {"full_attention_interval": 6}, (2, None, None, None)),
        ("qwen3next", {"attention__recurrent_layers": (True,) * 10 + (False,) * 2}, (2, None, None, None)),
        ("mamba", {"attention__head_count": 0, "attention__head_count_kv": 0}, (0, None, None, None)),
        ("falcon-h1", {}, (None, None, None, None)),
        ("qwen35", {"block_count": 13, "nextn_predict_layers": 1}, (3, None, None, None)),
    ],
)
def test_layers_of_gguf_models(architecture: str, own: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    assert layers(gguf_shape(architecture, **own)) == expected


def test_gguf_of_layers_that_differ() -> None:
    shared = gguf_shape("gemma4", attention__head_count_kv=(8, 2) * 6, attention__shared_kv_layers=4)
    assert shared.kv_heads_per_layer == (8, 2) * 4 + (0,) * 4
    ignored = gguf_shape("llama", attention__head_count_kv=(8, 2) * 6, **WINDOW)
    assert ignored.sliding_per_layer == (False,) * 12
    nemotron = gguf_shape("nemotron_h", attention__head_count_kv=(0, 8, 0) * 4)
    assert nemotron.kv_heads_per_layer == (0, 8, 0) * 4
    gemma = gguf_shape(
        "gemma4",
        attention__head_count_kv=(8, 8, 2) * 4,
        attention__sliding_window_pattern=(True, True, False) * 4,
        attention__key_length=512,
        attention__key_length_swa=256,
        **WINDOW,
    )
    assert gemma.sliding_per_layer == (True, True, False) * 4
    assert (gemma.head_dim, gemma.sliding_head_dim) == (512, 256)
    assert gguf_shape("llama", nextn_predict_layers=2).layers == 10


def test_gguf_of_experts_and_latent_attention() -> None:
    moe = gguf_shape(
        "qwen3moe", expert_count=128, expert_used_count=8, feed_forward_length=6144, expert_feed_forward_length=768
    )
    assert (moe.experts, moe.experts_used, moe.intermediate_size) == (128, 8, 768)
    latent = {"attention__kv_lora_rank": 512, "rope__dimension_count": 64, "attention__key_length": 576}
    new = gguf_shape("deepseek2", **latent, attention__key_length_mla=192, attention__head_count_kv=1)
    assert (new.mla, new.kv_lora_rank, new.qk_rope_head_dim) == (True, 512, 64)
    # Converted before April 2025: llama.cpp keeps every head's key and value then.
    assert not gguf_shape("deepseek2", **{**latent, "attention__key_length": 192}).mla


def test_absurd_lists() -> None:
    assert gguf_shape("llama", block_count=1 << 30).layers == 1 << 30
    assert hf_shape(num_hidden_layers=1 << 30, sliding_window=5).sliding_layers is None
    with pytest.raises(ConfigError):
        hf_shape(num_hidden_layers=8, layer_types=[LINEAR] * 8, num_kv_shared_layers="x")
