"""What an engine's own log says that it allocated."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

MIB, GIB = 1 << 20, 1 << 30

_NUMBER = r"(\d[\d,]{0,15}(?:\.\d{1,6})?)"
_LLAMACPP_START = "llama_model_loader: loaded meta data"
_LLAMACPP_BUFFER = re.compile(rf"(\S{{1,64}}) +(model|KV|RS|compute|output) buffer size = +{_NUMBER} MiB")
_LLAMACPP_CONTEXT = re.compile(rf"llama_context: n_ctx += {_NUMBER}")
_LLAMACPP_SLOT = re.compile(rf"llama_context: n_ctx_seq += {_NUMBER}")

_VLLM_START = "Initializing a V1 LLM engine"
_VLLM_WEIGHTS = re.compile(rf"Model loading took {_NUMBER} GiB")
_VLLM_AVAILABLE = re.compile(
    rf"Available KV cache memory: {_NUMBER} GiB|(?:Explicitly|Auto) set \({_NUMBER}/{_NUMBER}\)? GiB"
)
_VLLM_TOKENS = re.compile(rf"[A-Z]{{3,8}}(?: \+ host)? KV cache size: {_NUMBER} tokens")
_VLLM_CONCURRENCY = re.compile(rf"Maximum concurrency for [\d,]{{1,16}} tokens per request: {_NUMBER}x")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Of the last load in a log, bytes of all devices together. None: the log does not say.

    Attributes:
        weights_bytes: llama.cpp: the mapped file and `repacked_bytes`, whether or not its pages are in memory.
        repacked_bytes: llama.cpp: copies of weights in another order, in RAM.
        kv_bytes: llama.cpp: allocated; vLLM: what it has for the cache, of which it uses whole blocks. Recurrent states
            (hybrid models) count too.
        compute_bytes, output_bytes: llama.cpp only.
        kv_tokens: room of the cache.
        max_concurrency: sequences of full length that have room at once.
    """

    weights_bytes: int | None = None
    repacked_bytes: int | None = None
    kv_bytes: int | None = None
    compute_bytes: int | None = None
    output_bytes: int | None = None
    kv_tokens: int | None = None
    max_concurrency: float | None = None


def read_engine_log(text: str) -> Measured:
    """The log of llama.cpp (server, xllamacpp; at `--verbosity 3` or more) or of vLLM."""
    if _LLAMACPP_START in text or _LLAMACPP_BUFFER.search(text):
        return _llamacpp(text[max(0, text.rfind(_LLAMACPP_START)) :])
    return _vllm(text[max(0, text.rfind(_VLLM_START)) :])


def _llamacpp(text: str) -> Measured:
    buffers = [
        (owner, kind, round(float(mib.replace(",", "")) * MIB)) for owner, kind, mib in _LLAMACPP_BUFFER.findall(text)
    ]
    weights = [(owner, size) for owner, kind, size in buffers if kind == "model"]
    tokens, slot = _number(_LLAMACPP_CONTEXT, text), _number(_LLAMACPP_SLOT, text)
    return Measured(
        weights_bytes=_sum(size for _, size in weights),
        repacked_bytes=sum(size for owner, size in weights if owner.endswith("_REPACK")) if weights else None,
        kv_bytes=_sum(size for _, kind, size in buffers if kind in ("KV", "RS")),
        compute_bytes=_sum(size for _, kind, size in buffers if kind == "compute"),
        output_bytes=_sum(size for _, kind, size in buffers if kind == "output"),
        kv_tokens=None if tokens is None else int(tokens),
        max_concurrency=tokens / slot if tokens and slot else None,
    )


def _vllm(text: str) -> Measured:
    weights, available, tokens = (_number(one, text) for one in (_VLLM_WEIGHTS, _VLLM_AVAILABLE, _VLLM_TOKENS))
    return Measured(
        weights_bytes=None if weights is None else round(weights * GIB),
        kv_bytes=None if available is None else round(available * GIB),
        kv_tokens=None if tokens is None else int(tokens),
        max_concurrency=_number(_VLLM_CONCURRENCY, text),
    )


def _sum(sizes: Iterable[int]) -> int | None:
    found = list(sizes)
    return sum(found) if found else None


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return None if found is None else float(next(filter(None, found.groups())).replace(",", ""))
