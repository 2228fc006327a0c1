"""AutoRound's own format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from auto_round import AutoRound
from make import shapes
from transformers import AutoTokenizer


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`format` is AutoRound's export format; the rest are its arguments."""
    arguments = {name: value for name, value in options.items() if name != "format"}
    rounding = AutoRound(
        shapes.load(base),
        AutoTokenizer.from_pretrained(base),
        iters=0,
        device_map="cpu",
        dataset=torch.utils.data.DataLoader(torch.tensor(shapes.calibration()), batch_size=4),
        seqlen=64,
        nsamples=16,
        **arguments,
    )
    draft = folder.with_suffix(".draft")
    rounding.quantize_and_save(str(draft), format=options["format"], inplace=False)
    # It makes a folder of its own in the one that it is given.
    next(path.parent for path in draft.rglob("config.json")).rename(folder)
    shutil.rmtree(draft, ignore_errors=True)
    shapes.copy_tokenizer(base, folder)
    return "auto-round"
