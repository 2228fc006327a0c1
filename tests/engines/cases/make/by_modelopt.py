"""ModelOpt's own export (`hf_quant_config.json`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import modelopt.torch.quantization as mtq
import torch
from make import shapes
from modelopt.torch.export import export_hf_checkpoint


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`config` names one of ModelOpt's configurations, e.g. FP8_DEFAULT_CFG."""
    model = shapes.load(base)

    def calibrate(model: Any) -> None:
        with torch.no_grad():
            for row in shapes.calibration():
                model(torch.tensor([row]))

    export_hf_checkpoint(mtq.quantize(model, getattr(mtq, options["config"]), calibrate), export_dir=folder)
    shapes.copy_tokenizer(base, folder)
    return "nvidia-modelopt"
