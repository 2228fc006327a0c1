"""Load checkpoints in transformers: `python transformers_loads.py JOBS RESULTS DEADLINE_S`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")

import forking
import torch
from transformers import AutoModelForCausalLM


def load(job: dict[str, Any]) -> Mapping[int, float]:
    """The model in the checkpoint's own dtype, and one forward pass."""
    path = Path(job["path"])
    if path.suffix == ".gguf":
        model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
    else:
        model = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    with torch.no_grad():
        logits = model(torch.tensor([forking.PROMPT])).logits[0, -1]
    return dict(enumerate(logits.float().log_softmax(-1).tolist()))


if __name__ == "__main__":
    forking.run_all(load, Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
