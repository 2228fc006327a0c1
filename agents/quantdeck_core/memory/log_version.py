"""Which version of an engine wrote a log."""

from __future__ import annotations

import re

_VLLM = re.compile(r"Initializing a V1 LLM engine \(v([0-9][^)\s]{0,60})\)")
_LLAMACPP = re.compile(r"\bbuild_info: (b[1-9]\d{0,8})\b")
"""A build that does not know its number says b0."""


def version_in_log(text: str) -> str | None:
    """Of the last start in the log: `0.32.0` of vLLM, `b11549` of llama.cpp's server; None where it does not say."""
    found = _VLLM.findall(text) or _LLAMACPP.findall(text)
    return found[-1] if found else None
