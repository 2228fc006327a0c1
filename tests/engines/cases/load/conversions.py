"""llama.cpp's convert_hf_to_gguf.py on folders: `python conversions.py JOBS RESULTS DEADLINE_S`.

Its folder and gguf-py are in PYTHONPATH. A job's argument `outfile` is the GGUF to write. The converter refuses
tokenizers of the BPE kind whose splitting it does not know by a checksum: the cases' are made up, so that is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import convert_hf_to_gguf
import forking
from conversion.base import TextModel


def _some_splitting(self: object, tokenizer: object) -> str:
    return "gpt-4o"


def load(job: dict[str, Any]) -> Mapping[int, float]:
    """Convert; nothing is asked of the model yet."""
    sys.argv = ["convert_hf_to_gguf.py", job["path"], "--outfile", job["arguments"]["outfile"]]
    convert_hf_to_gguf.main()
    return {}


if __name__ == "__main__":
    TextModel.get_vocab_base_pre = _some_splitting
    forking.run_all(load, Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
