"""What is asked of an engine, and what it needs for it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quantdeck_core.engines.gpus import group_size
from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.estimates import MIB
from quantdeck_core.memory.kv import KV_TYPES, KvType
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import LLAMACPP, VLLM
from quantdeck_core.profile.schema import Profile

UTILIZATION_LIMIT = 0.90
"""The share of a GPU that all its engines together may book, for quantized models: the lesson's."""
_KV_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(VLLM, ("f16", "bf16", "f32", "fp8", "fp8_e4m3", "fp8_e5m2")),
    **dict.fromkeys(LLAMACPP, tuple(kind for kind in KV_TYPES if not kind.startswith("fp8"))),
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
        flash_attention: llama.cpp: as `auto` decides it on nearly all devices.
        prompt_cache_bytes: llama.cpp: RAM for prompts of earlier requests; empty at first.
        replicas: instances that are to run at the same time.
        nodes: hosts that one instance is divided among, evenly.
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
    flash_attention: bool = True
    prompt_cache_bytes: int = 0
    replicas: int = 1
    nodes: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of one instance, on all of its hosts."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def gpus_per_host(self) -> int:
        """GPUs of one instance on one host."""
        return -(-self.gpus // self.nodes)

    @property
    def kv(self) -> KvType:
        """How elements of the KV cache are stored."""
        return KV_TYPES[self.kv_type]


class Need(NamedTuple):
    """Bytes on one device.

    Attributes:
        host: RAM besides, where the device is a GPU.
        growth: what may come on top while it serves, and is reserved for it.
    """

    weights: int
    kv: int
    overhead: int
    host: int = 0
    growth: int = 0

    @property
    def total(self) -> int:
        """All of it on the device, once it serves."""
        return self.weights + self.kv + self.overhead

    @property
    def most(self) -> int:
        """All that it may become."""
        return self.total + self.growth


def serving_from(profile: Profile, checkpoint: Checkpoint) -> Serving:
    """As a profile serves it, with the engine's defaults.

    Raises:
        InputError: the engine has no such KV cache.
    """
    serve = resolved(profile, checkpoint.parameters)
    is_vllm = profile.engine in VLLM
    # llama.cpp spreads the layers of one instance over the GPUs that it was given.
    layers_on = 1 if is_vllm else group_size(profile.engine, serve)
    return Serving(
        engine=profile.engine,
        max_model_len=serve.max_model_len,
        max_num_seqs=serve.max_num_seqs,
        all_full=not is_vllm,
        max_num_batched_tokens=(serve.max_num_batched_tokens if is_vllm else serve.ubatch_size) or 512,
        kv_type=kv_type_named(_kv_name(serve.kv_cache_dtype or "auto", checkpoint, is_vllm), profile.engine),
        tensor_parallel=serve.tensor_parallel_size,
        pipeline_parallel=serve.pipeline_parallel_size if is_vllm else layers_on,
        gpu_memory_utilization=serve.gpu_memory_utilization or UTILIZATION_LIMIT,
        enforce_eager=bool(serve.enforce_eager),
        n_gpu_layers=0 if serve.n_gpu_layers is None else serve.n_gpu_layers,
        flash_attention=serve.flash_attn != "off",
        prompt_cache_bytes=(serve.cache_ram_mib or 0) * MIB,
        replicas=serve.replicas,
        nodes=serve.nodes,
    )


def _kv_name(asked: str, checkpoint: Checkpoint, is_vllm: bool) -> str:
    """With `auto` vLLM takes what the checkpoint was calibrated for, where that is FP8; NVFP4 is planned as 16 bits."""
    declared = checkpoint.kv_cache_dtype or ""
    return declared if is_vllm and asked == "auto" and declared in KV_TYPES else asked


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
