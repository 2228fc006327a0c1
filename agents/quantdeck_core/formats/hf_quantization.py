"""Which quantization a Hugging Face folder declares, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from quantdeck_core.formats.checkpoint import Problem, Provenance
from quantdeck_core.formats.compressed_tensors import read_compressed_tensors
from quantdeck_core.formats.errors import UnknownFormatError
from quantdeck_core.formats.fields import Json, flag, section, text
from quantdeck_core.formats.modelopt import read_modelopt
from quantdeck_core.formats.provenance import read_provenance
from quantdeck_core.formats.quantization import (
    Quantization,
    read_autoround,
    read_awq,
    read_bitsandbytes,
    read_fp8,
    read_gptq,
    read_mxfp4,
    read_nvfp4,
)
from quantdeck_core.formats.source import Source, read_json

MODELOPT = "hf_quant_config.json"
SIDECARS: dict[str, tuple[Callable[[Json], Quantization], str]] = {
    "quantize_config.json": (read_gptq, "gptq"),
    "quant_config.json": (read_awq, "awq"),
}
"""Files of AutoGPTQ and AutoAWQ from before `quantization_config`: (reader, vLLM's name of the method)."""
METHODS: dict[str, Callable[[Json], Quantization]] = {
    "gptq": read_gptq,
    "auto_gptq": read_gptq,
    "gptq_marlin": read_gptq,
    "marlin": read_gptq,
    "awq": read_awq,
    "auto_awq": read_awq,
    "awq_marlin": read_awq,
    "auto-round": read_autoround,
    "auto_round": read_autoround,
    "intel/auto-round": read_autoround,
    "autoround": read_autoround,
    "fp8": read_fp8,
    "compressed-tensors": read_compressed_tensors,
    "compressed_tensors": read_compressed_tensors,
    "deepseek_v4_fp8": read_fp8,
    "fbgemm_fp8": read_fp8,
    "bitsandbytes": read_bitsandbytes,
    "modelopt": read_modelopt,
    "modelopt_fp4": read_modelopt,
    "modelopt_mixed": read_modelopt,
    "modelopt_mxfp8": read_modelopt,
    "mxfp8": read_modelopt,
    "mxfp4": read_mxfp4,
    "gpt_oss_mxfp4": read_mxfp4,
    "nvfp4": read_nvfp4,
}
"""`quant_method`, lower case -> reader."""
WHERE = ("quantization_config", "compression_config", "text_config.quantization_config")
"""Sections of config.json, in the order in which vLLM looks."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A declared quantization, where, how it was made, and what to know about the declaration."""

    quantization: Quantization
    where: str
    provenance: Provenance | Literal["unknown"] = "unknown"
    problems: tuple[Problem, ...] = ()


def declared(source: Source, config: Json) -> Declared | None:
    """The quantization that the configuration or a file beside it declares; None where none does.

    Raises:
        UnknownFormatError: it declares a method that quantdeck does not know.
        ConfigError: a file or a field cannot be read.
    """
    sections = [section(config, WHERE[0]), section(config, WHERE[1]), section(section(config, "text_config"), WHERE[0])]
    sidecars = {name: read_json(source, name) for name in SIDECARS if name in source.files()}
    for where, body in zip(WHERE, sections, strict=True):
        if not body:
            continue
        # What made a GPTQ checkpoint is often noted in the sidecar only.
        notes = {**next(iter(sidecars.values()), {}), **body}
        place = "config.json" if where == WHERE[0] else f"config.json, {where}"
        return Declared(quantization=_by_method(body), where=place, provenance=read_provenance(source, notes))
    if MODELOPT in source.files():
        whole = read_json(source, MODELOPT)
        body = section(whole, "quantization")
        if body.get("quant_algo") is not None:
            return Declared(quantization=read_modelopt(body), where=MODELOPT, provenance=read_provenance(source, whole))
    for name, body in sidecars.items():
        reader, method = SIDECARS[name]
        method = (text(body, "quant_method") or method).lower()
        reader = METHODS.get(method, reader)
        problem = Problem(
            code="sidecar-only",
            detail=f"The quantization is declared in {name} only, where vLLM and transformers do not look.",
            hint=f"Start vLLM with `--quantization {method}`, or copy the declaration into config.json.",
        )
        return Declared(
            quantization=reader(body), where=name, provenance=read_provenance(source, body), problems=(problem,)
        )
    return None


def _by_method(body: Json) -> Quantization:
    method = (text(body, "quant_method") or "").lower()
    if not method and ("config_groups" in body or "sparsity_config" in body):
        method = "compressed-tensors"
    if not method and (flag(body, "load_in_4bit") or flag(body, "load_in_8bit")):
        method = "bitsandbytes"
    reader = METHODS.get(method)
    if reader is None:
        raise UnknownFormatError(
            f"The configuration names the quantization method {method or '(none)'!r}. Known are: "
            f"{', '.join(sorted(METHODS))}.",
            "Ask the engine's documentation whether it serves this method; quantdeck cannot judge it.",
        )
    return reader(body)
