"""Which quantization a Hugging Face folder declares, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from quantdeck_core.formats.checkpoint import Problem, Provenance
from quantdeck_core.formats.compressed_tensors import read_compressed_tensors
from quantdeck_core.formats.errors import UnknownFormatError
from quantdeck_core.formats.fields import Json, flag, positive, section, shown, text
from quantdeck_core.formats.quantization import METHODS, Quantization, read_awq, read_gptq, read_modelopt
from quantdeck_core.formats.source import Source, read_json

MODELOPT = "hf_quant_config.json"
SIDECARS: dict[str, tuple[Callable[[Json], Quantization], str]] = {
    "quantize_config.json": (read_gptq, "gptq"),
    "quant_config.json": (read_awq, "awq"),
}
"""Files of AutoGPTQ and AutoAWQ from before `quantization_config`: (reader, vLLM's name of the method)."""
WHERE = ("quantization_config", "compression_config", "text_config.quantization_config")
"""Sections of config.json, in the order in which vLLM looks."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A declared quantization, how it was made, and what to know about the declaration."""

    quantization: Quantization
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
    for body in filter(None, sections):
        # What made a GPTQ checkpoint is often noted in the sidecar only.
        notes = {**next(iter(sidecars.values()), {}), **body}
        return Declared(quantization=_by_method(body), provenance=_provenance(notes))
    if MODELOPT in source.files():
        body = section(read_json(source, MODELOPT), "quantization")
        if body.get("quant_algo") is not None:
            return Declared(quantization=read_modelopt(body), provenance=Provenance(tool="NVIDIA ModelOpt"))
    for name, body in sidecars.items():
        reader, method = SIDECARS[name]
        method = (text(body, "quant_method") or method).lower()
        reader = METHODS.get(method, reader)
        problem = Problem(
            code="sidecar-only",
            detail=f"The quantization is declared in {name} only, where vLLM and transformers do not look.",
            hint=f"Start vLLM with `--quantization {method}`, or copy the declaration into config.json.",
        )
        return Declared(quantization=reader(body), provenance=_provenance(body), problems=(problem,))
    return None


def _by_method(body: Json) -> Quantization:
    method = (text(body, "quant_method") or "").lower()
    if not method and ("config_groups" in body or "sparsity_config" in body):
        method = "compressed-tensors"
    if not method and (flag(body, "load_in_4bit") or flag(body, "load_in_8bit")):
        method = "bitsandbytes"
    if method in ("compressed-tensors", "compressed_tensors"):
        return read_compressed_tensors(body)
    reader = METHODS.get(method)
    if reader is None:
        raise UnknownFormatError(
            f"The configuration names the quantization method {method or '(none)'!r}. Known are: "
            f"{', '.join(sorted({*METHODS, 'compressed-tensors'}))}.",
            "Ask the engine's documentation whether it serves this method; quantdeck cannot judge it.",
        )
    return reader(body)


def _provenance(body: Json) -> Provenance | Literal["unknown"]:
    """What GPTQ tools, AutoRound and llm-compressor leave about how they worked."""
    meta = section(body, "meta")
    quantizer = meta.get("quantizer")
    tool = quantizer[0] if isinstance(quantizer, list) and quantizer else quantizer
    version = text(body, "autoround_version", "auto_round_version")
    sequential = flag(body if "true_sequential" in body else meta, "true_sequential")
    found = Provenance(
        tool=shown(tool) if isinstance(tool, str) else f"auto-round {version}" if version else "unknown",
        calibration_set=text(body, "dataset", "calib_data") or text(meta, "dataset") or "unknown",
        samples=positive(body, "nsamples", "max_calib_samples") or positive(meta, "nsamples") or "unknown",
        sequence_length=positive(body, "model_seqlen", "seqlen", "max_calib_seq_len") or "unknown",
        true_sequential="unknown" if sequential is None else sequential,
    )
    return "unknown" if found == Provenance() else found
