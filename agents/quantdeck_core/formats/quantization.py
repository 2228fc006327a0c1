"""One description for what twelve libraries write into `quantization_config`.

Source of the field names: transformers `utils/quantization_config.py`, and vLLM
`model_executor/layers/quantization/*.py` for those that transformers does not know.
"""

from __future__ import annotations

import msgspec

from quantdeck_core.formats.checkpoint import Format
from quantdeck_core.formats.fields import Json, flag, integer, positive, section, text


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
    packing: str | None = None
    strategy: str | None = None
    config_groups: int | None = None
    overrides: bool = False
    kv_cache_dtype: str | None = None


def read_gptq(config: Json) -> Quantization:
    """GPTQ, by AutoGPTQ, GPTQModel, AutoRound or transformers."""
    bits, group = positive(config, "bits", "w_bit"), integer(config, "group_size", "q_group_size")
    desc_act, sym, overrides = flag(config, "desc_act"), flag(config, "sym"), _overrides(config)
    words = [
        _bits("GPTQ", bits),
        _group(group),
        "desc_act" if desc_act else "",
        "asymmetric" if sym is False else "",
        "some layers otherwise" if overrides else "",
    ]
    return Quantization(
        format="gptq",
        label=", ".join(filter(None, words)),
        scheme=f"w{bits}a16" if bits else None,
        bits=bits,
        group_size=group,
        desc_act=desc_act,
        sym=sym,
        packing=text(config, "checkpoint_format", "format"),
        overrides=overrides,
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
        packing=text(config, "version"),
    )


def read_autoround(config: Json) -> Quantization:
    """Intel AutoRound: integers packed as GPTQ or AWQ do, or FP8, MXFP4, MXFP8 or NVFP4 (`data_type`)."""
    bits, group = positive(config, "bits"), integer(config, "group_size")
    kind, packing, overrides = (
        text(config, "data_type") or "int",
        text(config, "packing_format"),
        bool(section(config, "extra_config")),
    )
    scheme, name = f"w{bits}a16", _bits("AutoRound", bits)
    for prefix, family in (("mx_fp", "mxfp"), ("nv_fp", "nvfp"), ("fp", "fp")):
        if kind.startswith(prefix) and bits:
            scheme, name = f"{family}{bits}", f"AutoRound {family.upper()}{bits}"
            break
    else:
        packed = (packing or "").removeprefix("auto_round:").removeprefix("auto_").upper()
        name += f" packed as {packed}" if packed in ("GPTQ", "AWQ") else ""
    words = [name, _group(group), "asymmetric" if flag(config, "sym") is False else ""]
    return Quantization(
        format="autoround",
        label=", ".join(filter(None, [*words, "some layers otherwise" if overrides else ""])),
        scheme=scheme if bits else None,
        bits=bits,
        group_size=group,
        sym=flag(config, "sym"),
        packing=packing,
        overrides=overrides,
    )


def read_fp8(config: Json) -> Quantization:
    """FP8: per tensor, or per block as DeepSeek-V3 and Qwen3 publish it (`weight_block_size`)."""
    block = config.get("weight_block_size")
    blocks = isinstance(block, list) and bool(block)
    shape = f", blocks of {integer(config, 'weight_block_size')}" if blocks else ""
    activations = text(config, "activation_scheme") or "dynamic"
    return Quantization(
        format="fp8",
        label=f"FP8 W8A8{shape}, {activations} activations",
        scheme="fp8",
        bits=8,
        packing=text(config, "quant_method"),
        strategy="block" if blocks else None,
    )


def read_bitsandbytes(config: Json) -> Quantization:
    """bitsandbytes NF4, FP4 or LLM.int8()."""
    if flag(config, "load_in_8bit"):
        return Quantization(format="bitsandbytes", label="bitsandbytes INT8", scheme="int8", bits=8)
    kind = (text(config, "bnb_4bit_quant_type") or "fp4").lower()
    double = ", double quantization" if flag(config, "bnb_4bit_use_double_quant") else ""
    return Quantization(format="bitsandbytes", label=f"bitsandbytes {kind.upper()}{double}", scheme=kind, bits=4)


def read_mxfp4(_: Json) -> Quantization:
    """MXFP4, as gpt-oss is published."""
    return Quantization(format="mxfp4", label="MXFP4", scheme="mxfp4", bits=4, group_size=32)


def read_nvfp4(_: Json) -> Quantization:
    """NVFP4 that names itself so."""
    return Quantization(format="nvfp4", label="NVFP4", scheme="nvfp4", bits=4, group_size=16)


def _bits(name: str, bits: int | None) -> str:
    return f"{name} {bits}-bit" if bits else name


def _overrides(config: Json) -> bool:
    """GPTQModel's `dynamic`: patterns of layers with other bits; `-:` before one leaves its layers unquantized."""
    return any(not str(pattern).startswith("-:") for pattern in section(config, "dynamic"))


def _group(size: int | None) -> str:
    if size is None:
        return ""
    return f"group {size}" if size > 0 else "one group a column"
