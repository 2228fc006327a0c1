"""Unquantized checkpoints, as transformers and torch save them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from make import shapes


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """One of the dtypes, in one file or several; or a pickle; then what is to be wrong with it."""
    if options.get("pickle"):
        folder.mkdir()
        shutil.copy(base / "config.json", folder)
        shapes.copy_tokenizer(base, folder)
        torch.save(shapes.load(base).state_dict(), folder / "pytorch_model.bin")
        return "torch"
    model = shapes.load(base).to(getattr(torch, options["dtype"]))
    model.config.dtype = getattr(torch, options["dtype"])
    model.save_pretrained(folder, max_shard_size=options.get("max_shard_size", "5GB"))
    shapes.copy_tokenizer(base, folder)
    if architecture := options.get("architecture"):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "architectures": [architecture]}))
    if missing := options.get("missing"):
        next(folder.glob(f"model-{missing:05d}-of-*")).unlink()
    if keep := options.get("keep"):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    if not options.get("config", True):
        (folder / "config.json").unlink()
    return "transformers"
