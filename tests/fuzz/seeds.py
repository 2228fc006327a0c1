"""Valid checkpoints of every format: what the fuzzer starts from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import gguf

from fuzz.case import File, encode
from support.checkpoints import LLAMA, Described, gguf_bytes, safetensors

T = gguf.GGMLQuantizationType
_LINEAR = "model.layers.0.self_attn.q_proj"
_GROUP = {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}}
_QUANTIZATIONS: dict[str, tuple[dict[str, Any], Described]] = {
    "gptq": (
        {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "dynamic": {"+:x": {"bits": 8}}},
        {f"{_LINEAR}.qweight": ("I32", (2, 4)), f"{_LINEAR}.g_idx": ("I32", (16,))},
    ),
    "awq": ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}, {f"{_LINEAR}.qweight": ("I32", (2, 4))}),
    "autoround": (
        {"quant_method": "auto-round", "bits": 4, "data_type": "mx_fp", "iters": 200, "autoround_version": "0.15"},
        {f"{_LINEAR}.weight_packed": ("U8", (2, 4))},
    ),
    "compressed-tensors": (
        {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {"group_0": _GROUP},
            "kv_cache_scheme": {"num_bits": 8, "type": "float"},
        },
        {f"{_LINEAR}.weight_packed": ("I32", (2, 4)), f"{_LINEAR}.weight_scale": ("BF16", (2, 1))},
    ),
    "fp8": (
        {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"},
        {f"{_LINEAR}.weight": ("F8_E4M3", (2, 4)), f"{_LINEAR}.weight_scale_inv": ("F32", (1, 1))},
    ),
    "mxfp4": ({"quant_method": "mxfp4"}, {"experts.gate_up_proj_blocks": ("U8", (2, 4))}),
    "modelopt": ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, {f"{_LINEAR}.weight": ("U8", (2, 4))}),
    "bitsandbytes": (
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        {f"{_LINEAR}.weight": ("U8", (8, 1)), f"{_LINEAR}.weight.absmax": ("F32", (1,))},
    ),
}
_SHAPES: tuple[dict[str, Any], ...] = (
    {"layer_types": ["sliding_attention", "linear_attention"], "sliding_window": 64, "num_kv_shared_layers": 1},
    {"hybrid_override_pattern": "M*", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
    {"block_configs": [{"attention": {"n_heads_in_group": 2}}, {"attention": {"no_op": True}}]},
    {"kv_lora_rank": 64, "qk_rope_head_dim": 16, "auto_map": {"AutoModel": "x.Y"}},
    {"text_config": {"model_type": "gemma3_text", "sliding_window_pattern": 6}},
)
_RECIPE = b"stage:\n  modifiers:\n    GPTQModifier: {scheme: W4A16, dataset: x, num_calibration_samples: 8}\n"


def seeds() -> dict[str, bytes]:
    """Name -> input."""
    found = {}
    for name, (quantization, tensors) in _QUANTIZATIONS.items():
        found[name] = _hf({"quantization_config": quantization}, tensors, **{"recipe.yaml": _RECIPE})
    for number, shape in enumerate(_SHAPES):
        found[f"shape-{number}"] = _hf(shape, {"a": ("BF16", (2, 4))})
    modelopt = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    found["modelopt-beside"] = _hf({}, {"a": ("F8_E4M3", (2, 4))}, **{"hf_quant_config.json": _json(modelopt)})
    sidecar = _json({"bits": 4, "meta": {"quantizer": ["gptqmodel:7.7"], "true_sequential": True}})
    found["gptq-beside"] = _hf({}, {"a.qweight": ("I32", (2, 4))}, **{"quantize_config.json": sidecar})
    index = {"weight_map": {f"t{part}": f"model-0000{part}-of-00002.safetensors" for part in (1, 2)}}
    shards = {f"model-0000{part}-of-00002.safetensors": safetensors({f"t{part}": ("F16", (2,))}) for part in (1, 2)}
    found["sharded"] = _folder({"config.json": _json(LLAMA), "model.safetensors.index.json": _json(index), **shards})
    found["pickle"] = _folder({"config.json": _json(LLAMA), "pytorch_model.bin": b"PK\x03\x04" + bytes(20)})
    with tempfile.TemporaryDirectory() as folder:
        for name, numbers in _GGUF.items():
            found[name] = _folder({"m.gguf": _gguf(Path(folder) / "m.gguf", **numbers)})
        part = _gguf(Path(folder) / "m.gguf", split__count=2, split__tensors__count=8)
        found["split"] = _folder({f"m-0000{number}-of-00002.gguf": part for number in (1, 2)})
    return found


_GGUF: dict[str, dict[str, int]] = {
    "gguf": {},
    "gguf-window": {"llama__attention__sliding_window": 64, "llama__expert_count": 8, "llama__nextn_predict_layers": 1},
    "gguf-latent": {"llama__attention__kv_lora_rank": 512, "llama__attention__key_length_mla": 192},
}


def _gguf(path: Path, **numbers: int) -> bytes:
    kinds = {"token_embd.weight": T.Q8_0, "blk.0.attn_q.weight": T.Q4_K, "blk.0.ffn_down.weight": T.Q6_K, "n": T.F32}
    return gguf_bytes(path, kinds, rows=1, file_type=15, **numbers)


def _hf(config: dict[str, Any], tensors: Described, **beside: bytes) -> bytes:
    return _folder({"config.json": _json({**LLAMA, **config}), "model.safetensors": safetensors(tensors), **beside})


def _folder(files: dict[str, bytes]) -> bytes:
    return encode({name: File(len(content), content) for name, content in files.items()})


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
