"""How an engine serves a model: as a person writes it, and with every default filled in."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.profile.names import Positive

LOOPBACK = ("127.0.0.1", "::1", "localhost")

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Degree = Annotated[int, Meta(ge=1, le=64)]


class Serve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The table `[serve]` of a profile. What is left out is decided by the engine's defaults (`profile.defaults`).

    Attributes:
        max_model_len: context of one sequence, tokens, prompt and answer together.
        max_num_seqs: sequences served at once (llama.cpp: slots, each with the whole `max_model_len`).
        max_tokens: tokens of an answer. vLLM holds every request to it; llama.cpp takes it for requests that name no
            number of their own, where it would otherwise go on until the context is full.
        max_num_batched_tokens: vLLM: tokens processed in one step.
        gpu_memory_utilization: vLLM: share of the GPU's memory that an instance takes, 0 to 1, weights and KV cache.
        tensor_parallel_size: vLLM: GPUs (on a CPU: NUMA nodes) that share each layer.
        pipeline_parallel_size: vLLM: groups of layers, each on GPUs of its own.
        enforce_eager: vLLM: no CUDA graphs: less memory, slower.
        dtype: vLLM: of activations and of weights that are not quantized.
        quantization: vLLM: the checkpoint's method, found in its configuration where this is left out.
        kv_cache_dtype: how the KV cache is stored, in the engine's own words (`fp8`; llama.cpp: `q8_0`, both K and V).
        trust_remote_code: vLLM: run Python code that comes with the checkpoint.
        enable_prefix_caching: vLLM: keep the KV cache of prompts' common beginnings.
        kv_cache_gib: vLLM on a CPU: size of the KV cache, GiB.
        shutdown_timeout: vLLM: seconds in which running answers may end after SIGTERM.
        threads: CPU threads. Spinning threads of two engines on the same cores stop each other.
        batch_size: llama.cpp: prompt tokens taken from the queue at once.
        ubatch_size: llama.cpp: prompt tokens computed at once; its compute buffer grows with it.
        n_gpu_layers: llama.cpp: layers put on a GPU, -1 for all.
        flash_attn: llama.cpp: `on`, `off`, `auto`. A quantized KV cache needs it.
        cache_ram_mib: llama.cpp: MiB of host memory for prompts kept from earlier requests, 0 for none. Its own default
            is 8 GiB, which grows for hours before it ends an edge board.
        replicas: instances to start, each with its own GPUs and port.
        gpus: numbers of the GPUs, divided among the replicas in this order; empty: those that the engine finds.
        host: address to listen on. Any other than loopback needs `api_key_env`.
        port: fixed port, replica i listens on port + i; 0 for any free one.
        api_key_env: name of the environment variable of the agent that holds the API key. The key itself is in no file
            of ours and on no command line.
        extra_args: flags of the engine that no field is for, from the allow-list.
        env: environment variables of the engine, from the allow-list.
    """

    max_model_len: Positive | None = None
    max_num_seqs: Annotated[int, Meta(ge=1, le=4096)] | None = None
    max_tokens: Positive | None = None
    max_num_batched_tokens: Positive | None = None
    gpu_memory_utilization: Annotated[float, Meta(gt=0, le=1)] | None = None
    tensor_parallel_size: Degree | None = None
    pipeline_parallel_size: Degree | None = None
    enforce_eager: bool | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] | None = None
    quantization: Word | None = None
    kv_cache_dtype: Word | None = None
    trust_remote_code: bool | None = None
    enable_prefix_caching: bool | None = None
    kv_cache_gib: Positive | None = None
    shutdown_timeout: Annotated[int, Meta(ge=0, le=3600)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    batch_size: Positive | None = None
    ubatch_size: Positive | None = None
    n_gpu_layers: Annotated[int, Meta(ge=-1, le=10_000)] | None = None
    flash_attn: Literal["on", "off", "auto"] | None = None
    cache_ram_mib: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    replicas: Degree | None = None
    gpus: tuple[Annotated[int, Meta(ge=0, le=255)], ...] = ()
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,255}$")] | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    api_key_env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")] | None = None
    extra_args: Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(max_length=64)] = ()
    env: Annotated[dict[str, Annotated[str, Meta(max_length=200)]], Meta(max_length=32)] = {}


class Resolved(Serve, frozen=True, kw_only=True, omit_defaults=False):
    """`Serve` with every default filled in: None is left only where the engine has no such field or decides itself.

    Attributes:
        nodes: hosts of one replica.
    """

    max_model_len: int
    max_num_seqs: int
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    replicas: int = 1
    host: str = LOOPBACK[0]
    port: int = 0
    nodes: int = 1

    @property
    def gpus_per_host(self) -> int:
        """GPUs that one instance of vLLM needs on each of its hosts."""
        return -(-self.tensor_parallel_size * self.pipeline_parallel_size // self.nodes)
