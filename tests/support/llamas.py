"""Llama checkpoints of real size whose data takes no room: headers and sparse files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from support.checkpoints import sparse_safetensors


class Llama(NamedTuple):
    """A model's dimensions, as its config.json has them."""

    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int = 32_000
    context: int = 4096


LLAMA_2_7B = Llama(4096, 11_008, 32, 32, 32)
LLAMA_2_13B = Llama(5120, 13_824, 40, 40, 40)
LLAMA_2_70B = Llama(8192, 28_672, 80, 64, 8)
LLAMA_3_8B = Llama(4096, 14_336, 32, 32, 8, 128_256, 8192)

_DECLARED = {
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"},
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic"},
}


def llama_folder(path: Path, model: Llama, quantized: str = "") -> Path:
    """A folder as a publisher would have it: config.json and one safetensors file of the true size.

    Args:
        quantized: a key of `_DECLARED`, or empty for BF16.
    """
    path.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": model.hidden,
        "intermediate_size": model.ffn,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "vocab_size": model.vocab,
        "max_position_embeddings": model.context,
        "torch_dtype": "bfloat16",
    }
    if quantized:
        config["quantization_config"] = _DECLARED[quantized]
    (path / "config.json").write_text(json.dumps(config))
    sparse_safetensors(path / "model.safetensors", _tensors(model, quantized))
    return path


def _tensors(model: Llama, quantized: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    kv = model.hidden // model.heads * model.kv_heads
    linears = {
        "self_attn.q_proj": (model.hidden, model.hidden),
        "self_attn.k_proj": (model.hidden, kv),
        "self_attn.v_proj": (model.hidden, kv),
        "self_attn.o_proj": (model.hidden, model.hidden),
        "mlp.gate_proj": (model.hidden, model.ffn),
        "mlp.up_proj": (model.hidden, model.ffn),
        "mlp.down_proj": (model.ffn, model.hidden),
    }
    embedding = ("BF16", (model.vocab, model.hidden))
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {"model.embed_tokens.weight": embedding}
    for layer in range(model.layers):
        base = f"model.layers.{layer}."
        for name, (rows, columns) in linears.items():
            for suffix, stored in _linear(rows, columns, quantized).items():
                tensors[f"{base}{name}.{suffix}"] = stored
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{base}{norm}.weight"] = ("BF16", (model.hidden,))
    return {**tensors, "model.norm.weight": ("BF16", (model.hidden,)), "lm_head.weight": embedding}


def _linear(rows: int, columns: int, quantized: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of one linear layer with `rows` inputs and `columns` outputs."""
    groups = rows // 128
    match quantized:
        case "gptq":
            return {
                "qweight": ("I32", (rows // 8, columns)),
                "qzeros": ("I32", (groups, columns // 8)),
                "scales": ("F16", (groups, columns)),
                "g_idx": ("I32", (rows,)),
            }
        case "awq":
            return {
                "qweight": ("I32", (rows, columns // 8)),
                "qzeros": ("I32", (groups, columns // 8)),
                "scales": ("F16", (groups, columns)),
            }
        case "fp8":
            return {"weight": ("F8_E4M3", (columns, rows)), "weight_scale": ("F32", (1,))}
        case _:
            return {"weight": ("BF16", (columns, rows))}
