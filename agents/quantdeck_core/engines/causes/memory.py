"""Memory of GPUs and of the host."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import LLAMACPP, VLLM

_GPU, _HOST = "gpu-out-of-memory", "host-out-of-memory"
_SIZE = r"[\d.]{1,12} [KMGT]?i?B"
_VLLM_LESS = (
    "Lower serve.max_model_len or serve.max_num_seqs, set serve.tensor_parallel_size higher, or take a smaller "
    "quantization; `quantdeck plan` says what fits."
)
_VLLM_RUN = (
    "Lower serve.gpu_memory_utilization by 0.03 to 0.05, or serve.max_num_batched_tokens: the peaks of running "
    "requests "
    "need room beside the KV cache."
)
_LLAMACPP_LESS = (
    "Lower serve.n_gpu_layers, serve.max_model_len or serve.ubatch_size, or take a smaller quantization; "
    "`quantdeck plan` says what fits."
)
_HOST_LLAMACPP = (
    "Lower serve.max_model_len or serve.max_num_seqs (the KV cache is their product), or take a smaller quantization; "
    "`quantdeck plan` says what fits."
)

CAUSES: tuple[Cause, ...] = (
    # V v1/worker/utils.py, request_memory
    cause(
        "gpu-memory-taken",
        r"Free memory on device (?:\S{1,20} )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than "
        r"desired GPU "
        r"memory utilization \((?P<share>[\d.]+), (?P<want>[\d.]+) GiB\)",
        "The GPU has {free} of {total} GiB free, and gpu_memory_utilization {share} asks for {want} GiB.",
        "Something else holds the GPU: see `nvidia-smi` there and end it, or set serve.gpu_memory_utilization below "
        "what is free divided by the total.",
        engines=("vllm",),
    ),
    # V v1/core/kv_cache_utils.py, _check_enough_kv_cache_memory (two forms: with and without an estimate)
    cause(
        "kv-cache-too-small",
        r"max seq len \((?P<length>\d+)\), \(?(?P<need>[\d.]+) GiB KV cache is needed, which is larger than the "
        r"available "
        r"KV cache memory \((?P<have>[\d.]+) GiB\)[^\n]{0,200}estimated maximum model length is (?P<fits>\d+)",
        "One sequence of {length} tokens needs {need} GiB of KV cache, and {have} GiB are left for it.",
        "Set serve.max_model_len to {fits} or less, or give the cache more room.",
        engines=VLLM,
    ),
    cause(
        "kv-cache-too-small",
        r"max seq len \((?P<length>\d+)\), \(?(?P<need>[\d.]+) GiB KV cache is needed, which is larger than the "
        r"available "
        r"KV cache memory \((?P<have>[\d.]+) GiB\)",
        "One sequence of {length} tokens needs {need} GiB of KV cache, and {have} GiB are left for it.",
        "Lower serve.max_model_len, or give the cache more room.",
        engines=VLLM,
    ),
    # vi/2418 and other threads: the words of older versions
    cause(
        "kv-cache-too-small",
        r"max seq len \((?P<length>\d+)\) is larger than the maximum number of tokens that can be stored in KV cache "
        r"\((?P<fits>\d+)\)",
        "One sequence has {length} tokens, and the KV cache has room for {fits}.",
        "Set serve.max_model_len to {fits} or less, or give the cache more room.",
        engines=VLLM,
    ),
    cause(
        "kv-cache-no-room",
        r"No available memory for the cache blocks",
        "After the weights no memory was left for the KV cache.",
        "Raise serve.gpu_memory_utilization if the GPU is free, else take a smaller quantization or set "
        "serve.tensor_parallel_size higher; `quantdeck plan` says what fits.",
        engines=("vllm",),
    ),
    cause(
        "kv-cache-no-room",
        r"No available memory for the cache blocks",
        "After the weights no memory was left for the KV cache.",
        "Set serve.kv_cache_gib to what `quantdeck plan` says, or take a smaller quantization.",
        engines=("vllm-cpu",),
    ),
    # V v1/worker/gpu_model_runner.py, _dummy_sampler_run
    cause(
        _GPU,
        r"CUDA out of memory occurred when warming up sampler with (?P<count>\d+) dummy requests",
        "The GPU ran out of memory while {count} sequences at once were tried.",
        "Lower serve.max_num_seqs or serve.gpu_memory_utilization.",
        engines=("vllm",),
    ),
    # c10/cuda/CUDACachingAllocator.cpp of PyTorch; vi/12030, vi/16343
    cause(
        _GPU,
        rf"CUDA out of memory\. Tried to allocate (?P<want>{_SIZE})\. GPU (?P<gpu>\d+) has a total capacity of "
        rf"(?P<total>{_SIZE}) of which (?P<free>{_SIZE}) is free",
        "GPU {gpu} ran out of memory {when}: {want} more were needed, {free} of {total} were free.",
        _VLLM_LESS,
        serving=_VLLM_RUN,
        engines=("vllm",),
    ),
    cause(
        _GPU,
        r"(?:CUDA|HIP|XPU) out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory"
        r"|CUBLAS_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation|hipErrorOutOfMemory",
        "The GPU ran out of memory {when}.",
        _VLLM_LESS,
        serving=_VLLM_RUN,
        engines=("vllm",),
    ),
    # V v1/worker/cpu_worker.py; the second RAN
    cause(
        _HOST,
        r"Available memory on node (?P<node>\d+) \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less "
        r"than desired "
        r"CPU memory utilization \((?P<share>[\d.]+), (?P<want>[\d.]+) GiB\)",
        "The host has {free} of {total} GiB free, and the engine reserves {want} GiB.",
        "Set serve.kv_cache_gib, which it then reserves instead, or free memory there.",
        engines=("vllm-cpu",),
    ),
    cause(
        _HOST,
        r"Available memory on node (?P<node>\d+) \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on kv cache "
        r"allocation is less "
        r"than requested memory for kv \((?P<want>[\d.]+)",
        "The host has {free} of {total} GiB free, and the KV cache is to take {want} GiB.",
        "Lower serve.kv_cache_gib.",
        engines=("vllm-cpu",),
    ),
    # L ggml/src/ggml-cuda/ggml-cuda.cu, alloc_buffer; li/20431
    cause(
        _GPU,
        r"allocating (?P<want>[\d.]+) MiB on device (?P<gpu>\d+): cudaMalloc failed: out of memory",
        "GPU {gpu} ran out of memory {when}: {want} MiB more were needed.",
        _LLAMACPP_LESS,
        engines=LLAMACPP,
    ),
    # L ggml-alloc.c, src/llama-model.cpp, for every kind of GPU
    cause(
        _GPU,
        r"(?:unable|failed) to allocate "
        r"(?P<buffer>(?:CUDA|ROCm|HIP|Vulkan|SYCL|MUSA|Metal|MTL|CANN|OpenCL)\w{0,8}) buffer",
        "The GPU ran out of memory {when}: the buffer {buffer} found no room.",
        _LLAMACPP_LESS,
        engines=LLAMACPP,
    ),
    # L ggml-cuda.cu, ggml_cuda_error; ggml-vulkan; ggml-metal-context.m
    cause(
        _GPU,
        r"(?:CUDA|ROCm|HIP|MUSA) error: out of memory|ErrorOutOfDeviceMemory|OutOfMemory|Insufficient Memory \(",
        "The GPU ran out of memory {when}.",
        _LLAMACPP_LESS,
        engines=LLAMACPP,
    ),
    # L ggml-backend.cpp, ggml-alloc.c; the size in bytes
    cause(
        _HOST,
        r"failed to allocate (?:CPU\w{0,12} )?buffer of size (?P<want>\d+)",
        "The host ran out of memory {when}: {want} bytes more were needed.",
        _HOST_LLAMACPP,
        engines=LLAMACPP,
    ),
    # L src/llama-kv-cache.cpp, src/llama-context.cpp, src/llama-model.cpp
    cause(
        "kv-cache-no-room",
        r"failed to allocate buffer for (?:kv|rs) cache",
        "No memory was left for the KV cache.",
        "Lower serve.max_model_len or serve.max_num_seqs (the cache is their product), or set "
        "serve.kv_cache_dtype to q8_0.",
        engines=LLAMACPP,
    ),
    cause(
        _HOST,
        r"failed to allocate compute \w{0,4} ?buffers|unable to allocate (?:backend|CPU\w{0,12}) buffer"
        r"|failed to reserve initial output buffer",
        "Memory ran out {when}: a buffer found no room.",
        "Lower serve.ubatch_size, serve.max_model_len or serve.n_gpu_layers; `quantdeck plan` says what fits.",
        engines=LLAMACPP,
    ),
    # RAN: llama-server and xllamacpp under a limit of memory
    cause(
        _HOST,
        r"std::bad_alloc|posix_memalign failed with error 12|ggml_aligned_malloc: [^\n]{0,60}insufficient memory"
        r"|mmap failed: Cannot allocate memory",
        "The host ran out of memory {when}.",
        _HOST_LLAMACPP,
        engines=LLAMACPP,
    ),
    # c10/core/impl/alloc_cpu.cpp of PyTorch
    cause(
        _HOST,
        r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory): you tried to allocate (?P<want>\d+) bytes",
        "The host ran out of memory {when}: {want} bytes more were needed.",
        "Lower serve.max_model_len or serve.max_num_seqs, or take a smaller quantization; `quantdeck plan` says "
        "what fits.",
        engines=VLLM,
    ),
    cause(
        _HOST,
        r"^MemoryError\b|\bMemoryError: |OSError: \[Errno 12\] Cannot allocate memory|std::bad_alloc",
        "The host ran out of memory {when}.",
        "Free memory on the host, or take a smaller model or quantization; `quantdeck plan` says what fits.",
    ),
)
