"""What no library writes on a CPU (any more), packed by hand as the engines' loaders document it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from make import by_llmcompressor, shapes
from safetensors.torch import load_file, save_file

_E4M3_MAX = 448.0
_BLOCK = 128
_FP4 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])

Tensors = dict[str, torch.Tensor]


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`kind` names one of the functions below; the rest are theirs."""
    return _KINDS[options["kind"]](base, folder, options)


def _write(base: Path, folder: Path, tensors: Tensors, quantization: dict[str, Any]) -> None:
    folder.mkdir()
    shapes.copy_tokenizer(base, folder)
    config = json.loads((base / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": quantization}, indent=1))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _linear(name: str) -> bool:
    return name.endswith("_proj.weight")


def _fp8(weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (weight.float() / scale).clamp(-_E4M3_MAX, _E4M3_MAX).to(torch.float8_e4m3fn)


def _fp8_tensor(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`weight_scale` (and `input_scale`) one a tensor: vLLM's quant_method `fp8`."""
    tensors: Tensors = {}
    for name, weight in load_file(base / "model.safetensors").items():
        tensors[name] = weight
        if _linear(name):
            scale = weight.float().abs().max() / _E4M3_MAX
            tensors[name] = _fp8(weight, scale)
            tensors[name.removesuffix("weight") + "weight_scale"] = scale.reshape(1)
            if options["activation_scheme"] == "static":
                # Activations of these models stay below 16.
                tensors[name.removesuffix("weight") + "input_scale"] = torch.tensor([16 / _E4M3_MAX])
    _write(base, folder, tensors, {"quant_method": "fp8", "activation_scheme": options["activation_scheme"]})
    return "by hand"


def _fp8_block(base: Path, folder: Path, _: dict[str, Any]) -> str:
    """`weight_scale_inv` one a block, as DeepSeek-V3 and Qwen3 publish it."""
    tensors: Tensors = {}
    for name, weight in load_file(base / "model.safetensors").items():
        tensors[name] = weight
        if _linear(name):
            rows, columns = weight.shape
            blocks = weight.float().view(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
            scale = blocks.abs().amax((1, 3), keepdim=True) / _E4M3_MAX
            tensors[name] = _fp8(blocks, scale).view(rows, columns)
            tensors[name + "_scale_inv"] = scale[:, 0, :, 0].contiguous()
    quantization = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [_BLOCK, _BLOCK]}
    _write(base, folder, tensors, quantization)
    return "by hand"


def _mxfp4(base: Path, folder: Path, _: dict[str, Any]) -> str:
    """gpt-oss: the experts' matrices as `_blocks` (two values a byte, groups of 32) and `_scales` (exponents + 127)."""
    tensors: Tensors = {}
    for name, weight in load_file(base / "model.safetensors").items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            # transformers keeps (experts, in, out); the checkpoint has (experts, out, in / 32, 16).
            values = weight.float().transpose(1, 2)
            groups = values.reshape(*values.shape[:2], -1, 32)
            exponent = (groups.abs().amax(-1, keepdim=True) / 6).clamp_min(2.0**-100).log2().ceil()
            scaled = groups / exponent.exp2()
            code = (scaled.abs().unsqueeze(-1) - _FP4).abs().argmin(-1).to(torch.uint8)
            code |= (scaled < 0).to(torch.uint8) << 3
            tensors[name + "_blocks"] = (code[..., 0::2] | code[..., 1::2] << 4).contiguous()
            tensors[name + "_scales"] = (exponent[..., 0] + 127).to(torch.uint8).contiguous()
        else:
            tensors[name] = weight
    skipped = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    _write(base, folder, tensors, {"quant_method": "mxfp4", "modules_to_not_convert": skipped})
    return "by hand"


def _actorder_group(base: Path, folder: Path, _: dict[str, Any]) -> str:
    """What llm-compressor wrote until it gave up `actorder="group"`: its W4A16 with a group index a column."""
    by_llmcompressor.make(base, folder, {"scheme": "W4A16", "actorder": "static"})
    config = json.loads((folder / "config.json").read_text())
    group = config["quantization_config"]["config_groups"]["group_0"]["weights"]
    group["actorder"] = "group"
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith("weight_packed")]:
        columns = int(tensors[name.replace("_packed", "_shape")][1])
        index = torch.arange(columns, dtype=torch.int32) // group["group_size"]
        tensors[name.replace("_packed", "_g_idx")] = index
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return "llm-compressor, changed by hand"


_KINDS: dict[str, Callable[[Path, Path, dict[str, Any]], str]] = {
    "fp8-tensor": _fp8_tensor,
    "fp8-block": _fp8_block,
    "mxfp4": _mxfp4,
    "actorder-group": _actorder_group,
}
