"""GGUF with K-quants and I-quants, by llama.cpp's own quantizer (`QUANTDECK_LLAMA_QUANTIZE` names the program)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from make import by_gguf


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """`mix` is llama-quantize's name, e.g. Q4_K_M."""
    folder.mkdir()
    full = folder.with_suffix(".f16.gguf")
    by_gguf.write(base, full, "F16")
    program = os.environ["QUANTDECK_LLAMA_QUANTIZE"]
    subprocess.run([program, str(full), str(folder / "model.gguf"), options["mix"], "2"], check=True, timeout=120)
    full.unlink()
    return "llama.cpp's llama-quantize"
