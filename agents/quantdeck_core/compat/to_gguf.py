"""Whether llama.cpp's converter reads a checkpoint as it is.

Source: llama.cpp of October 2026, `conversion/base.py` (`dequant_model`, `prepare_tensors`), `conversion/gpt_oss.py`.
What it does not name it cannot map: one kind of tensor too many ends it with `Can not map tensor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from quantdeck_core.compat.architecture import Architectures
from quantdeck_core.formats.checkpoint import Checkpoint


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a GGUF.

    Attributes:
        verdict: ``direct``: the converter reads it; ``dequantize-first``: it does not read this quantization; ``no``.
        steps: what to do, in order; empty where it is a GGUF already.
    """

    verdict: Literal["direct", "dequantize-first", "no"]
    reason: str
    steps: tuple[str, ...] = ()


CONVERT = "python convert_hf_to_gguf.py MODEL --outfile model.gguf"
QUANTIZE = "llama-quantize model.gguf model-Q4_K_M.gguf Q4_K_M"
_DEQUANTIZE = (
    "Take the unquantized model instead where it can still be had: that loses nothing twice.",
    "Else load it with transformers, unpack it to BF16 (`model.dequantize()`, where the method has it), and save it.",
    CONVERT,
    QUANTIZE,
)


def to_gguf(checkpoint: Checkpoint, known: Architectures) -> Conversion:
    """The way to a GGUF, by the declaration and the kinds of tensors; the converter is not run."""
    if checkpoint.format == "gguf":
        return Conversion(verdict="direct", reason="It is a GGUF already.")
    for problem in checkpoint.problems:
        if problem.blocks:
            return Conversion(verdict="no", reason=problem.detail, steps=(problem.hint,) if problem.hint else ())
    name = checkpoint.text_architecture or checkpoint.architecture
    if not {name, checkpoint.architecture} & known.llamacpp.converted:
        return Conversion(
            verdict="no",
            reason=f"convert_hf_to_gguf.py of llama.cpp {known.llamacpp.version} knows no architecture {name!r}.",
            steps=("Look whether a newer llama.cpp converts it.",),
        )
    refusal = _READERS.get(checkpoint.format, _unread)(checkpoint)
    if refusal is not None:
        return Conversion(verdict="dequantize-first", reason=refusal, steps=_DEQUANTIZE)
    reason, command, after = _kept(checkpoint)
    moved = _declaration(checkpoint)
    return Conversion(verdict="direct", reason=reason, steps=tuple(filter(None, (moved, command, after))))


def _kept(checkpoint: Checkpoint) -> tuple[str, str, str]:
    """Why it works, the command, and what to do with its output."""
    if checkpoint.scheme in ("nvfp4", "mxfp4"):
        return f"The converter keeps {checkpoint.scheme.upper()} as it is.", CONVERT, ""
    if checkpoint.scheme == "fp8":
        return "The converter reads FP8; Q8_0 has about the same size.", f"{CONVERT} --fp8-as-q8", ""
    if checkpoint.format == "safetensors":
        return "The converter reads unquantized weights.", CONVERT, QUANTIZE
    return "The converter reads it and unpacks it to 16 bits; quantizing again loses a little more.", CONVERT, QUANTIZE


def _declaration(checkpoint: Checkpoint) -> str:
    """The converter looks into config.json and hf_quant_config.json only."""
    where = checkpoint.declared_in
    if where is None or where in (
        "config.json",
        "config.json, text_config.quantization_config",
        "hf_quant_config.json",
    ):
        return ""
    return f"Copy the declaration from {where} into config.json, as `quantization_config` with its `quant_method`."


def _gptq(one: Checkpoint) -> str | None:
    if one.bits not in (2, 4, 8):
        return f"The converter unpacks GPTQ with 2, 4 and 8 bits; this has {one.bits or 'an unknown number'}."
    if one.packing not in (None, "gptq", "gptq_v2"):
        return f"The converter reads the layouts gptq and gptq_v2 of GPTQ; this is {one.packing!r}."
    if one.overrides:
        return "Some layers have bits of their own (`dynamic`), and the converter takes one number for all."
    missing = {".g_idx", ".qzeros", ".scales"} - set(one.side_tensors)
    return f"The converter wants {_listed(missing)} beside `.qweight`." if missing else None


def _fp8(one: Checkpoint) -> str | None:
    if one.packing != "fp8":
        return f"The converter does not know the method {one.packing!r}."
    return _further(one, {".weight_scale_inv", ".activation_scale", ".qscale_weight", ".qscale_act"})


def _compressed_tensors(one: Checkpoint) -> str | None:
    if one.packing == "nvfp4-pack-quantized":
        return _further(one, {".weight_scale", ".weight_global_scale", ".input_global_scale", ".k_scale", ".v_scale"})
    if one.config_groups != 1:
        return f"The converter reads one config group of compressed-tensors; this has {one.config_groups}."
    if one.packing == "pack-quantized":
        if one.strategy != "group":
            return f"The converter unpacks integers with strategy group; this has {one.strategy}."
        if one.bits in (3, 5, 6, 7):
            return f"The converter unpacks integers of 2, 4 and 8 bits; these have {one.bits}."
        return _further(one, {".weight_scale", ".weight_shape", ".weight_zero_point"})
    if one.packing in ("float-quantized", "int-quantized", "naive-quantized"):
        if one.strategy not in ("channel", "block"):
            return f"The converter reads {one.packing} with strategy channel or block; this has {one.strategy}."
        return _further(one, {".weight_scale"})
    return f"The converter does not read the format {one.packing!r} of compressed-tensors."


def _modelopt(one: Checkpoint) -> str | None:
    if one.packing not in ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "NVFP4", "W4A16_NVFP4", "MIXED_PRECISION"):
        return f"The converter reads FP8 and NVFP4 of ModelOpt; this is {one.packing}."
    return _further(one, {".weight_scale", ".weight_scale_2", ".input_scale", ".k_scale", ".v_scale"})


def _mxfp4(one: Checkpoint) -> str | None:
    return None if one.architecture == "GptOssForCausalLM" else "The converter reads this MXFP4 of gpt-oss only."


def _plain(one: Checkpoint) -> str | None:
    return None if one.scheme in ("bf16", "fp16", "fp32") else f"The converter does not read {one.label} as weights."


def _unread(one: Checkpoint) -> str | None:
    return f"The converter does not read {one.label}."


def _further(one: Checkpoint, known: set[str]) -> str | None:
    """Whether tensors are stored that the converter would not know what to do with."""
    further = set(one.side_tensors) - known
    return f"The converter has no place for the tensors {_listed(further)}." if further else None


def _listed(suffixes: set[str]) -> str:
    return ", ".join(f"`{suffix}`" for suffix in sorted(suffixes))


_READERS: dict[str, Callable[[Checkpoint], str | None]] = {
    "gptq": _gptq,
    "fp8": _fp8,
    "compressed-tensors": _compressed_tensors,
    "modelopt": _modelopt,
    "mxfp4": _mxfp4,
    "safetensors": _plain,
}
"""Format -> why the converter does not read it; None where it does."""
