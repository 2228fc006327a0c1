"""Which engine has which field of `[serve]`, and what another one has instead."""

from __future__ import annotations

from quantdeck_core.profile.names import LLAMACPP, STARTED, VLLM, EngineKind

_SERVER: tuple[EngineKind, ...] = ("llama-server", "xllamacpp")

ENGINES: dict[str, tuple[EngineKind, ...]] = {
    "max_model_len": STARTED,
    "max_num_seqs": (*VLLM, *_SERVER),
    "max_tokens": (*VLLM, *_SERVER),
    "max_num_batched_tokens": VLLM,
    "gpu_memory_utilization": ("vllm",),
    "tensor_parallel_size": VLLM,
    "pipeline_parallel_size": VLLM,
    "enforce_eager": VLLM,
    "dtype": VLLM,
    "quantization": VLLM,
    "kv_cache_dtype": STARTED,
    "trust_remote_code": VLLM,
    "enable_prefix_caching": VLLM,
    "kv_cache_gib": ("vllm-cpu",),
    "shutdown_timeout": VLLM,
    "threads": ("vllm-cpu", *LLAMACPP),
    "batch_size": LLAMACPP,
    "ubatch_size": LLAMACPP,
    "n_gpu_layers": LLAMACPP,
    "flash_attn": LLAMACPP,
    "cache_ram_mib": _SERVER,
    "replicas": STARTED,
    "gpus": ("vllm", *LLAMACPP),
    # xllamacpp runs behind the gateway only, on loopback.
    "host": (*VLLM, "llama-server", "llama-cpp-python"),
    "port": STARTED,
    "api_key_env": (*VLLM, "llama-server", "llama-cpp-python", "external"),
    "extra_args": STARTED,
    "env": STARTED,
}
"""Field -> engines that have it."""

_TO_LLAMACPP = {
    "max_num_batched_tokens": "llama.cpp has batch_size and ubatch_size.",
    "gpu_memory_utilization": "llama.cpp takes what it needs; n_gpu_layers says how much of it on the GPU.",
    "tensor_parallel_size": "llama.cpp spreads layers over the GPUs named in gpus.",
    "pipeline_parallel_size": "llama.cpp spreads layers over the GPUs named in gpus.",
    "quantization": "A GGUF says itself how it is quantized.",
    "dtype": "A GGUF says itself of which types its tensors are.",
    "enable_prefix_caching": "llama.cpp has cache_ram_mib.",
    "kv_cache_gib": "llama.cpp's KV cache is max_model_len x max_num_seqs tokens.",
    "max_num_seqs": "llama-cpp-python serves one sequence at a time; llama-server serves several.",
    "max_tokens": "llama-cpp-python has no bound on answers but max_model_len; llama-server has one.",
    "cache_ram_mib": "llama-cpp-python keeps no prompts here.",
    "host": "xllamacpp listens on loopback; llama-server can listen elsewhere.",
    "api_key_env": "xllamacpp listens on loopback and needs no key; llama-server can have one.",
}
_TO_VLLM = {
    "batch_size": "vLLM has max_num_batched_tokens.",
    "ubatch_size": "vLLM has max_num_batched_tokens.",
    "n_gpu_layers": "vLLM puts all layers on the GPU.",
    "threads": "It is for engines on a CPU.",
    "flash_attn": "vLLM chooses its kernels itself (extra_args: --attention-backend).",
    "cache_ram_mib": "vLLM has enable_prefix_caching.",
    "kv_cache_gib": "vLLM on a GPU has gpu_memory_utilization.",
    "gpu_memory_utilization": "vLLM on a CPU has kv_cache_gib.",
    "gpus": "vLLM on a CPU uses none.",
}


def has(engine: EngineKind, field: str) -> bool:
    """Whether an engine has a field."""
    return engine in ENGINES[field]


def instead(engine: EngineKind, field: str) -> str:
    """What to do about a field that an engine does not have."""
    if engine == "external":
        return "quantdeck does not start an external engine: set it where that server is started."
    hints = _TO_VLLM if engine in VLLM else _TO_LLAMACPP
    return hints.get(field, "Leave it out.")
