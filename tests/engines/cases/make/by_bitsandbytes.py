"""bitsandbytes, as transformers saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from make import shapes
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`options` are `BitsAndBytesConfig`'s."""
    config = BitsAndBytesConfig(**options)
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=config, dtype=torch.bfloat16, device_map="cpu"
    )
    model.save_pretrained(folder)
    shapes.copy_tokenizer(base, folder)
    return "bitsandbytes"
