"""compressed-tensors, as llm-compressor writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
from make import shapes


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """A preset `scheme`; with `actorder`, by GPTQ; with `weights`, a config group of one's own."""
    settings: dict[str, Any] = {"ignore": ["lm_head"]}
    if "weights" in options:
        settings["config_groups"] = {"group_0": {"targets": ["Linear"], **_arguments(options)}}
    else:
        settings |= {"targets": "Linear", "scheme": options["scheme"]}
    modifier: Any = QuantizationModifier
    if "actorder" in options:
        modifier, settings["actorder"] = GPTQModifier, options["actorder"]
    rows = shapes.calibration()
    oneshot(
        model=(model := shapes.load(base)),
        recipe=[modifier(**settings)],
        dataset=Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]}),
        max_seq_length=len(rows[0]),
        num_calibration_samples=len(rows),
        pipeline="basic",
    )
    with torch.no_grad():
        model.save_pretrained(folder, save_compressed=True)
    shapes.copy_tokenizer(base, folder)
    return "llmcompressor"


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("weights", "input_activations") if name in options}
