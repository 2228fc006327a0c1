"""How a Hugging Face checkpoint was quantized, as far as the tools leave it behind.

Read in: GPTQModel 7.7 `models/writer.py` (`meta`), transformers `GPTQConfig`, AutoRound 0.15 `compressors/base.py`,
ModelOpt 0.47 `torch/export` (`producer`), llm-compressor 0.14 `recipe/recipe.py`. AutoAWQ and bitsandbytes note
nothing.
"""

from __future__ import annotations

import re
from typing import Literal

from quantdeck_core.formats.checkpoint import Provenance
from quantdeck_core.formats.fields import INT_LIMIT, Json, flag, positive, section, shown, text
from quantdeck_core.formats.source import Source

RECIPE = "recipe.yaml"
RECIPE_LIMIT = 64 << 10
"""Bytes of a recipe that are read; a list of ignored layers may go on behind them."""
_MODIFIERS_LIMIT = 8

_MODIFIER = re.compile(r"^\s*(?:- )?(\w{1,80})Modifier:")
_SCALAR = re.compile(
    r"[\s{,](scheme|sequential_update|true_sequential|dataset|num_calibration_samples|max_seq_length)\s*:"
    r"\s*([^\s,{}\[\]#][^,{}\[\]#]*)"
)
"""A key with a value on its line, be it a line of its own or part of a `{...}`."""


def read_provenance(source: Source, body: Json) -> Provenance | Literal["unknown"]:
    """What the declaration and the recipe beside it say; where both do, the declaration.

    Raises:
        ConfigError: a number is none.
    """
    recipe = _recipe(source.read(RECIPE, 0, RECIPE_LIMIT)) if RECIPE in source.files() else {}
    meta = section(body, "meta")
    sequential = next((said for part in (body, meta, recipe) if (said := _sequential(part)) is not None), None)
    found = Provenance(
        tool=_tool(body, meta) or ("llm-compressor" if recipe else "unknown"),
        method=_method(body, recipe) or "unknown",
        calibration_set=_dataset(body) or text(meta, "dataset") or text(recipe, "dataset") or "unknown",
        samples=positive(body, "nsamples", "max_calib_samples")
        or positive(meta, "nsamples")
        or positive(recipe, "num_calibration_samples")
        or "unknown",
        sequence_length=positive(body, "model_seqlen", "seqlen", "max_calib_seq_len")
        or positive(recipe, "max_seq_length")
        or "unknown",
        true_sequential="unknown" if sequential is None else sequential,
    )
    return "unknown" if found == Provenance() else found


def _tool(body: Json, meta: Json) -> str | None:
    quantizer = meta.get("quantizer")
    first = quantizer[0] if isinstance(quantizer, list) and quantizer else quantizer
    if isinstance(first, str):
        return shown(first)
    if version := text(body, "autoround_version", "auto_round_version"):
        return f"auto-round {version}"
    producer = section(body, "producer")
    name = text(producer, "name") or text(body, "provider")
    return " ".join(filter(None, (name, text(producer, "version")))) or None


def _method(body: Json, recipe: Json) -> str | None:
    iterations = positive(body, "iters")
    if iterations and text(body, "autoround_version", "auto_round_version"):
        return f"{iterations} iterations"
    modifiers = recipe.get("modifiers")
    words = ", ".join(modifiers) if isinstance(modifiers, list) else ""
    scheme = text(recipe, "scheme")
    return ", ".join(filter(None, (words, scheme and f"scheme {scheme}"))) or None


def _dataset(body: Json) -> str | None:
    """Its name; transformers also takes the texts themselves."""
    own = body.get("dataset")
    return f"{len(own)} texts of its own" if isinstance(own, list) and own else text(body, "dataset", "calib_data")


def _sequential(part: Json) -> bool | None:
    said = flag(part, "true_sequential")
    return flag(part, "sequential_update") if said is None else said


def _recipe(data: bytes) -> dict[str, object]:
    """The few scalars of llm-compressor's recipe, line by line: no YAML library, so no aliases and no tags."""
    found: dict[str, object] = {}
    modifiers: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        if (match := _MODIFIER.match(line)) and len(modifiers) < _MODIFIERS_LIMIT:
            modifiers.append(match[1])
        for key, value in _SCALAR.findall(f" {line[:1000]}"):
            if (parsed := _scalar(key, value.strip().strip("'\""))) is not None:
                found.setdefault(key, parsed)
    return {**found, "modifiers": modifiers} if modifiers else found


def _scalar(key: str, value: str) -> object:
    """As the type that the key has; None where the value is none, e.g. an alias."""
    if key in ("sequential_update", "true_sequential"):
        return {"true": True, "false": False}.get(value.lower())
    if key in ("num_calibration_samples", "max_seq_length"):
        return int(value) if value.isascii() and value.isdigit() and len(value) < len(str(INT_LIMIT)) else None
    return value if value and value[0] not in "*&!|>" and value != "null" else None
