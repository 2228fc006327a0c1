"""What engines and machines take besides weights and KV cache, as a table that a person can read and correct."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.profile.toml_text import decode_toml

MIB = 1024 * 1024
Mib = Annotated[int, Meta(ge=0, le=10_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class VllmEstimates(_Table, frozen=True, kw_only=True):
    """vLLM on a GPU: MiB a process, and copies of activations while the largest batch is processed."""

    context_mib: Mib
    collective_mib: Mib
    graphs_mib: Mib
    hidden_copies: float
    ffn_copies: float
    logits_copies: float


class VllmCpuEstimates(_Table, frozen=True, kw_only=True):
    """vLLM on a CPU: MiB of the processes besides weights and KV cache."""

    process_mib: Mib


class LlamacppEstimates(_Table, frozen=True, kw_only=True):
    """llama.cpp: MiB that stay free on a GPU."""

    gpu_margin_mib: Mib


class MachineEstimates(_Table, frozen=True, kw_only=True):
    """A machine whose RAM serves the model: what is left to everything else (the larger of both)."""

    reserve_mib: Mib
    reserve_share: Share
    apple_gpu_share: Share


class Estimates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """All sections."""

    vllm: VllmEstimates
    vllm_cpu: VllmCpuEstimates
    llamacpp: LlamacppEstimates
    machine: MachineEstimates


def parse_estimates(toml: str) -> Estimates:
    """The table from TOML.

    Raises:
        TomlError: with file, line and column.
    """
    return decode_toml(toml, Estimates, "memory.toml")
