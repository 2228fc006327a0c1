"""One description for what twelve libraries write into `quantization_config`.

Source of the field names: transformers `utils/quantization_config.py`, and vLLM
`model_executor/layers/quantization/*.py` for those that transformers does not know.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quantdeck_core.formats.checkpoint import Format
from quantdeck_core.formats.fields import Json, flag, integer, positive, text


class Quantization(msgspec.Struct, frozen=True, kw_only=True):
    """As the attributes of `Checkpoint` with these names."""

    format: Format
    label: str
    scheme: str | None = None
    bits: int | None = None
    group_size: int | None = None
    desc_act: bool | None = None
    sym: bool | None = None
    actorder: str | None = None


def read_gptq(config: Json) -> Quantization:
    """GPTQ, by AutoGPTQ, GPTQModel or transformers."""
    bits, group = positive(config, "bits", "w_bit"), integer(config, "group_size", "q_group_size")
    desc_act, sym = flag(config, "desc_act"), flag(config, "sym")
    words = [_bits("GPTQ", bits), _group(group), "desc_act" if desc_act else "", "asymmetric" if sym is False else ""]
    return Quantization(
        format="gptq",
        label=", ".join(filter(None, words)),
        scheme=f"w{bits}a16" if bits else None,
        bits=bits,
        group_size=group,
        desc_act=desc_act,
        sym=sym,
    )


def read_awq(config: Json) -> Quantization:
    """AWQ, by AutoAWQ (`w_bit`, `q_group_size`) or transformers (`bits`, `group_size`)."""
    bits, group = positive(config, "bits", "w_bit"), integer(config, "group_size", "q_group_size")
    zero_point = flag(config, "zero_point")
    return Quantization(
        format="awq",
        label=", ".join(filter(None, [_bits("AWQ", bits), _group(group)])),
        scheme=f"w{bits}a16" if bits else None,
        bits=bits,
        group_size=group,
        sym=None if zero_point is None else not zero_point,
    )


def read_autoround(config: Json) -> Quantization:
    """Intel AutoRound."""
    bits, group = positive(config, "bits"), integer(config, "group_size")
    return Quantization(
        format="autoround",
        label=", ".join(filter(None, [_bits("AutoRound", bits), _group(group)])),
        scheme=f"w{bits}a16" if bits else None,
        bits=bits,
        group_size=group,
        sym=flag(config, "sym"),
    )


def read_fp8(config: Json) -> Quantization:
    """FP8: per tensor, or per block as DeepSeek-V3 and Qwen3 publish it (`weight_block_size`)."""
    block = config.get("weight_block_size")
    shape = f", blocks of {integer(config, 'weight_block_size')}" if isinstance(block, list) and block else ""
    activations = text(config, "activation_scheme") or "dynamic"
    return Quantization(format="fp8", label=f"FP8 W8A8{shape}, {activations} activations", scheme="fp8", bits=8)


def read_bitsandbytes(config: Json) -> Quantization:
    """bitsandbytes NF4, FP4 or LLM.int8()."""
    if flag(config, "load_in_8bit"):
        return Quantization(format="bitsandbytes", label="bitsandbytes INT8", scheme="int8", bits=8)
    kind = (text(config, "bnb_4bit_quant_type") or "fp4").lower()
    double = ", double quantization" if flag(config, "bnb_4bit_use_double_quant") else ""
    return Quantization(format="bitsandbytes", label=f"bitsandbytes {kind.upper()}{double}", scheme=kind, bits=4)


def read_modelopt(config: Json) -> Quantization:
    """NVIDIA ModelOpt: `quant_algo` is FP8, NVFP4, W4A16_AWQ, ..."""
    method = (text(config, "quant_method") or "").lower()
    algorithm = text(config, "quant_algo") or {"modelopt_fp4": "NVFP4", "modelopt_mxfp8": "MXFP8"}.get(method, "FP8")
    name = algorithm.upper()
    scheme = "nvfp4" if "NVFP4" in name else "fp8" if name.startswith("FP8") else name.lower()
    return Quantization(
        format="modelopt",
        label=f"ModelOpt {name}",
        scheme=scheme,
        bits=4 if scheme == "nvfp4" or name.startswith("W4") else 8,
        group_size=integer(config, "group_size"),
    )


def _mxfp4(_: Json) -> Quantization:
    return Quantization(format="mxfp4", label="MXFP4", scheme="mxfp4", bits=4, group_size=32)


def _nvfp4(_: Json) -> Quantization:
    return Quantization(format="nvfp4", label="NVFP4", scheme="nvfp4", bits=4, group_size=16)


METHODS: dict[str, Callable[[Json], Quantization]] = {
    "gptq": read_gptq,
    "gptq_marlin": read_gptq,
    "marlin": read_gptq,
    "awq": read_awq,
    "awq_marlin": read_awq,
    "auto-round": read_autoround,
    "auto_round": read_autoround,
    "intel/auto-round": read_autoround,
    "autoround": read_autoround,
    "fp8": read_fp8,
    "fbgemm_fp8": read_fp8,
    "bitsandbytes": read_bitsandbytes,
    "modelopt": read_modelopt,
    "modelopt_fp4": read_modelopt,
    "modelopt_mxfp8": read_modelopt,
    "mxfp4": _mxfp4,
    "gpt_oss_mxfp4": _mxfp4,
    "nvfp4": _nvfp4,
}
"""`quant_method`, lower case -> reader. compressed-tensors, which is larger, has a module of its own."""


def _bits(name: str, bits: int | None) -> str:
    return f"{name} {bits}-bit" if bits else name


def _group(size: int | None) -> str:
    if size is None:
        return ""
    return f"group {size}" if size > 0 else "one group a column"
