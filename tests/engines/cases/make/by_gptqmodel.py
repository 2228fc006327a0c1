"""GPTQ and AWQ, as GPTQModel writes them (AutoGPTQ's and AutoAWQ's successor)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# Its pool for loading wants two workers and is refused where the pool of all has one (2 cores).
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

from gptqmodel import GPTQModel, QuantizeConfig
from make import shapes


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`options` are `QuantizeConfig`'s; with `sidecar`, the declaration stays in quantize_config.json alone."""
    sidecar = options.pop("sidecar", False)
    model = GPTQModel.load(str(base), QuantizeConfig(**options), device="cpu")
    model.quantize([{"input_ids": row, "attention_mask": [1] * len(row)} for row in shapes.calibration()])
    model.save(str(folder))
    shapes.copy_tokenizer(base, folder)
    if sidecar:
        config = json.loads((folder / "config.json").read_text())
        del config["quantization_config"]
        (folder / "config.json").write_text(json.dumps(config))
    return "gptqmodel"
