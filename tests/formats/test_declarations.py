"""Each quantization format as its library declares it in config.json or beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quantdeck_core.formats.checkpoint import Checkpoint, Provenance
from quantdeck_core.formats.detect import detect
from quantdeck_core.formats.errors import AmbiguousError, CheckpointError, ConfigError, UnknownFormatError
from support.checkpoints import LLAMA, PLAIN, Described, MemorySource, hf, safetensors

GPTQ_TENSORS: Described = {
    "m.q_proj.qweight": ("I32", (32, 256)),
    "m.q_proj.qzeros": ("I32", (2, 32)),
    "m.q_proj.scales": ("F16", (2, 256)),
    "m.q_proj.g_idx": ("I32", (256,)),
}


def found(files: dict[str, bytes]) -> Checkpoint:
    return detect(MemorySource(files))


def codes(checkpoint: Checkpoint) -> list[str]:
    return [problem.code for problem in checkpoint.problems]


def group(weights: dict[str, Any], activations: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": activations}},
    }


INT8 = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "group_size": None}
FP8 = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": "tensor"}
INT4 = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}
MX4 = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "group", "group_size": 32}
FP4 = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "tensor_group", "group_size": 16}


@pytest.mark.parametrize(
    ("quantization", "tensors", "expected"),
    [
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "sym": True},
            GPTQ_TENSORS,
            ("gptq", 4, 128, "GPTQ 4-bit, group 128, desc_act"),
        ),
        (
            {"quant_method": "gptq", "bits": 8, "group_size": -1, "desc_act": False, "sym": False},
            {"m.qweight": ("I32", (64, 256))},
            ("gptq", 8, -1, "GPTQ 8-bit, one group a column, asymmetric"),
        ),
        (
            {"quant_method": "AWQ", "w_bit": 4, "q_group_size": 64, "zero_point": True, "version": "gemm"},
            GPTQ_TENSORS,
            ("awq", 4, 64, "AWQ 4-bit, group 64"),
        ),
        (group(INT4), PLAIN, ("compressed-tensors", 4, 128, "compressed-tensors W4A16, group 128")),
        (group(INT8, INT8), PLAIN, ("compressed-tensors", 8, None, "compressed-tensors W8A8 INT8")),
        (group(FP8, FP8), PLAIN, ("compressed-tensors", 8, None, "compressed-tensors FP8 W8A8")),
        (group(FP4, FP4), PLAIN, ("compressed-tensors", 4, 16, "compressed-tensors NVFP4")),
        (
            {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]},
            PLAIN,
            ("fp8", 8, None, "FP8 W8A8, blocks of 128, dynamic activations"),
        ),
        ({"quant_method": "mxfp4", "modules_to_not_convert": []}, PLAIN, ("mxfp4", 4, 32, "MXFP4")),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16},
            PLAIN,
            ("modelopt", 4, 16, "ModelOpt NVFP4"),
        ),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            {"m.weight": ("U8", (100, 1)), "m.weight.absmax": ("F32", (4,))},
            ("bitsandbytes", 4, None, "bitsandbytes NF4"),
        ),
        ({"load_in_8bit": True}, PLAIN, ("bitsandbytes", 8, None, "bitsandbytes INT8")),
        (
            {"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True},
            GPTQ_TENSORS,
            ("autoround", 4, 128, "AutoRound 4-bit, group 128"),
        ),
        (
            {
                "quant_method": "auto-round",
                "bits": 2,
                "group_size": 32,
                "sym": False,
                "extra_config": {"x": {}},
                "packing_format": "auto_round:auto_gptq",
            },
            GPTQ_TENSORS,
            ("autoround", 2, 32, "AutoRound 2-bit packed as GPTQ, group 32, asymmetric, some layers otherwise"),
        ),
        (
            {"quant_method": "auto-round", "bits": 4, "group_size": 32, "data_type": "mx_fp4e2m1"},
            PLAIN,
            ("autoround", 4, 32, "AutoRound MXFP4, group 32"),
        ),
        (
            {"quant_method": "auto-round", "bits": 8, "group_size": [128, 128], "data_type": "fp8"},
            PLAIN,
            ("autoround", 8, 128, "AutoRound FP8, group 128"),
        ),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"-:lm_head": {}, "+:x": {"bits": 8}}},
            GPTQ_TENSORS,
            ("gptq", 4, 128, "GPTQ 4-bit, group 128, some layers otherwise"),
        ),
        (group(MX4, None), PLAIN, ("compressed-tensors", 4, 32, "compressed-tensors MXFP4 weight-only")),
        (group({**MX4, "num_bits": 8}, FP8), PLAIN, ("compressed-tensors", 8, 32, "compressed-tensors MXFP8")),
        (group(INT4, FP8), PLAIN, ("compressed-tensors", 4, 128, "compressed-tensors W4A8 FP8, group 128")),
        (
            {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
            PLAIN,
            ("modelopt", None, None, "ModelOpt mixed precision"),
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "W4A16_AWQ", "config_groups": {"g": {"weights": INT4}}},
            PLAIN,
            ("modelopt", 4, 128, "ModelOpt W4A16_AWQ"),
        ),
        ({"quant_method": "modelopt_mxfp8"}, PLAIN, ("modelopt", 8, None, "ModelOpt MXFP8")),
        ({"quant_method": "modelopt", "quant_algo": "INT8_WO"}, PLAIN, ("modelopt", 8, None, "ModelOpt INT8_WO")),
    ],
)
def test_formats(quantization: dict[str, Any], tensors: Described, expected: tuple[object, ...]) -> None:
    one = found(hf(quantization, tensors))
    assert (one.format, one.bits, one.group_size, one.label) == expected
    assert codes(one) == []


@pytest.mark.parametrize(("dtype", "label", "bits"), [("BF16", "BF16", 16), ("F16", "FP16", 16), ("F32", "FP32", 32)])
def test_unquantized(dtype: str, label: str, bits: int) -> None:
    one = found(hf(None, {"a": (dtype, (64, 64))}))
    assert (one.format, one.label, one.bits, one.parameters) == ("safetensors", f"{label} safetensors", bits, 4096)


@pytest.mark.parametrize("place", ["compression_config", "text_config"])
def test_other_places_of_config_json(place: str) -> None:
    inner: dict[str, Any] = group(INT8, INT8)
    body = {**LLAMA, place: {**LLAMA, "quantization_config": inner} if place == "text_config" else inner}
    one = found({"config.json": json.dumps(body).encode(), "m.safetensors": safetensors()})
    assert one.scheme == "w8a8-int8"
    assert one.layers == 2


def test_modelopt_beside_config_json() -> None:
    beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    one = found({**hf(), "hf_quant_config.json": json.dumps(beside).encode()})
    assert (one.format, one.scheme, one.bits) == ("modelopt", "fp8", 8)


@pytest.mark.parametrize(("name", "method"), [("quantize_config.json", "gptq"), ("quant_config.json", "awq")])
def test_a_sidecar_needs_an_option(name: str, method: str) -> None:
    beside = json.dumps({"bits": 4, "w_bit": 4, "group_size": 128, "desc_act": False}).encode()
    one = found({**hf(None, GPTQ_TENSORS), name: beside})
    assert (one.format, one.bits) == (method, 4)
    assert codes(one) == ["sidecar-only"]
    assert f"--quantization {method}" in one.problems[0].hint


def test_provenance() -> None:
    base = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    meta = {"quantizer": ["gptqmodel:4.2"], "true_sequential": True}
    one = found(hf({**base, "dataset": "c4", "model_seqlen": 2048, "meta": meta}, GPTQ_TENSORS))
    assert one.provenance == Provenance(
        tool="gptqmodel:4.2", calibration_set="c4", sequence_length=2048, true_sequential=True
    )
    assert found(hf(base, GPTQ_TENSORS)).provenance == "unknown"


def test_what_a_converter_and_a_plan_ask() -> None:
    packed = {**group(INT4), "format": "pack-quantized", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}
    tensors: Described = {"m.weight_packed": ("I32", (2, 4)), "m.weight_scale": ("BF16", (2, 1))}
    one = found(hf(packed, tensors))
    assert (one.packing, one.strategy, one.config_groups) == ("pack-quantized", "group", 1)
    assert (one.kv_cache_dtype, one.declared_in, one.side_tensors) == ("fp8", "config.json", (".weight_scale",))
    modelopt = {"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_quant_algo": "NVFP4"}
    assert found(hf(modelopt)).kv_cache_dtype == "nvfp4"
    skipping = {"quant_method": "gptq", "bits": 4, "dynamic": {"-:lm_head": {}}}
    assert not found(hf(skipping, GPTQ_TENSORS)).overrides


def test_packed_weights_are_counted_one_by_one() -> None:
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    one = found(hf(gptq, {**GPTQ_TENSORS, "norm.weight": ("F16", (256,))}))
    assert one.parameters == 256 * 256 + 256
    three = found(hf({**gptq, "bits": 3}, {"m.qweight": ("I32", (24, 256))}))
    assert three.parameters == 256 * 256
    nf4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    tensors: Described = {"m.weight": ("U8", (100, 1)), "m.weight.quant_state.bitsandbytes__nf4": ("U8", (70,))}
    assert found(hf(nf4, tensors)).parameters == 200


def test_declaration_and_tensors_disagree() -> None:
    assert codes(found(hf({"quant_method": "gptq", "bits": 4}))) == ["declared-not-stored"]
    assert codes(found(hf(None, GPTQ_TENSORS))) == ["undeclared"]


def test_shapes() -> None:
    grouped = found(hf())
    assert (grouped.layers, grouped.heads, grouped.kv_heads, grouped.head_dim) == (2, 8, 2, 32)
    assert (grouped.context_length, grouped.mla, grouped.sliding_window) == (4096, False, None)
    latent = found(hf(None, kv_lora_rank=512, qk_rope_head_dim=64, v_head_dim=128))
    assert (latent.mla, latent.kv_lora_rank, latent.qk_rope_head_dim, latent.head_dim_v) == (True, 512, 64, 128)
    kinds = ["sliding_attention", "full_attention"]
    sliding = found(hf(None, sliding_window=1024, layer_types=kinds))
    assert (sliding.sliding_window, sliding.sliding_layers) == (1024, 1)
    assert found(hf(None, sliding_window=1024, use_sliding_window=False)).sliding_window is None
    multi_query = found(hf(None, num_key_value_heads=None, multi_query=True))
    assert multi_query.kv_heads == 1


def test_remote_code_is_reported() -> None:
    one = found(hf(None, auto_map={"AutoModelForCausalLM": "modeling_x.XForCausalLM"}))
    assert one.remote_code
    assert codes(one) == ["remote-code"]
    assert not one.problems[0].blocks
    nested = {"model_type": "llama", "auto_map": {"AutoModel": "x.Y"}}
    assert found(hf(None, text_config=nested)).remote_code


@pytest.mark.parametrize(
    "config", [{"num_hidden_layers": "many"}, {"num_hidden_layers": 2**63}, {"num_key_value_heads": 64}]
)
def test_impossible_configurations(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        found(hf(None, **config))


def test_escape_codes_stay_in_the_file() -> None:
    assert found(hf(None, architectures=["\x1b[2JLlama\ud800"])).architecture == "[2JLlama"


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({}, UnknownFormatError, "Looked for *.safetensors"),
        ({"a.txt": b"hello"}, UnknownFormatError, "begins with 68 65"),
        ({"a.bin": b"ggjt" + bytes(20)}, UnknownFormatError, "before GGUF"),
        ({"a.gguf": b"version https://git-lfs.github.com/spec/v1"}, CheckpointError, "Git LFS pointer"),
        ({"a.gguf": b"GGUF", "b.gguf": b"GGUF"}, AmbiguousError, "2 GGUF models"),
        (hf({"quant_method": "quip9"}), UnknownFormatError, "quip9"),
        ({**hf(), "config.json": b"[]"}, ConfigError, "no JSON object"),
        ({**hf(), "config.json": b"{"}, ConfigError, "not valid JSON"),
        ({**hf(), "config.json": b'{"a":' + b"[" * 100_000}, ConfigError, "nested too deeply"),
    ],
)
def test_what_is_no_checkpoint(files: dict[str, bytes], error: type[CheckpointError], words: str) -> None:
    with pytest.raises(error) as caught:
        found(files)
    assert words in caught.value.detail
    assert caught.value.hint


def test_a_pickle_is_named_and_blocked() -> None:
    one = found({"config.json": b"{}", "pytorch_model.bin": b"PK\x03\x04" + bytes(100)})
    assert (one.format, one.weights_bytes) == ("pickle", 104)
    assert one.problems[0].blocks
    assert "execute any code" in one.problems[0].detail


def index(**files: str) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": files}).encode()


def test_shards_by_their_index() -> None:
    files = {"config.json": json.dumps(LLAMA).encode(), "a.safetensors": safetensors({"x": ("F16", (4,))})}
    files["b.safetensors"] = safetensors({"y": ("F16", (4,))})
    name = "model.safetensors.index.json"
    whole = found({**files, name: index(x="a.safetensors", y="b.safetensors")})
    assert (whole.files, whole.weights_bytes, codes(whole)) == (2, 16, [])
    assert codes(found({**files, name: index(x="a.safetensors", y="c.safetensors")})) == ["shard-missing"]
    assert codes(found({**files, name: index(x="a.safetensors", y="../b.safetensors")})) == ["shard-missing"]
    assert codes(found({**files, name: index(x="a.safetensors", z="b.safetensors")})) == ["tensor-missing"]
