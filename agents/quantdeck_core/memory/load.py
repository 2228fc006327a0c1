"""One load of an engine that was measured, and what it was expected to take."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.hardware.device import Kind
from quantdeck_core.memory.kv import KV_TYPES
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_core.profile.names import LLAMACPP, VLLM

Source = Literal["nvml", "rss", "log", "given"]
"""NVML's memory of the processes on a GPU; their resident memory; the engine's log; a person."""
UNKNOWN_VERSION = "unknown"


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on one device, the fullest, for the sequences that were planned. None: it was not measured.

    Attributes:
        total: everything; where the engine fills a pool (vLLM), with the part of it that those sequences need.
    """

    total: int | None = None
    weights: int | None = None
    kv: int | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded, how, where, and both figures.

    Attributes:
        t: UNIX time, seconds.
        host: name of the machine.
        model: `model_digest` of the checkpoint.
        title: what it was called, for people.
        device: name in the table of devices; `kind` is its kind.
        sequences: of `serving.max_model_len` tokens each, that `planned` and `measured` have room for.
        planned: on one device, without any correction, by the quantdeck of then; RAM beside a GPU is not kept.
    """

    t: float
    host: str
    engine_version: str
    model: str
    title: str
    device: str
    kind: Kind
    serving: Serving
    sequences: int
    planned: Need
    measured: Observed
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        """Refuse what no plan can be made for; it comes from a file.

        Raises:
            ValueError: a figure is out of its range, or a name unknown.
        """
        serving, measured = self.serving, self.measured
        figures = (*self.planned, measured.total or 0, measured.weights or 0, measured.kv or 0)
        counts = (
            self.sequences, serving.gpus, serving.tensor_parallel, serving.max_model_len, serving.max_num_seqs,
            serving.max_num_batched_tokens,
        )  # fmt: skip
        if min(figures) < 0 or min(counts) < 1:
            raise ValueError("a number is too small")
        if serving.kv_type not in KV_TYPES or serving.engine not in VLLM + LLAMACPP:
            raise ValueError("an engine or a type of KV cache that is not known")

    @property
    def engine(self) -> str:
        """Which engine loaded it."""
        return self.serving.engine


def with_version(engine: str, version: str) -> str:
    """``vllm 0.32.0``, or ``xllamacpp of unknown version``."""
    return f"{engine} of unknown version" if version == UNKNOWN_VERSION else f"{engine} {version}"
