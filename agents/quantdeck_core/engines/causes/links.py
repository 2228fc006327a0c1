"""What joins GPUs and hosts: NCCL, and Ray."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import VLLM

_RAY = "ray-failed"

RAY: tuple[Cause, ...] = (
    # V v1/executor/ray_utils.py; the first RAN
    cause(
        "package-missing",
        r"Failed to import Ray",
        "The engine's environment has no Ray, which the profile asks for.",
        "Install ray into the engine's environment, or drop --distributed-executor-backend from serve.extra_args.",
        engines=VLLM,
    ),
    cause(
        "host-out-of-memory",
        r"ray\.exceptions\.OutOfMemoryError|killed due to the node running low on memory",
        "Ray killed a worker because its host ran low on memory.",
        "Free memory on that host, or take a smaller model or quantization.",
        engines=VLLM,
    ),
    cause(
        _RAY,
        r"Cannot provide a placement group|number of required \w+s exceeds the total number of available"
        r"|You don't have enough GPUs available in a current node|Current node has no \w+ available",
        "The Ray cluster has fewer free GPUs than the profile needs.",
        "Look at `ray status` on the head, or lower serve.tensor_parallel_size or serve.pipeline_parallel_size.",
        engines=VLLM,
    ),
    cause(
        _RAY,
        r"Version mismatch: The cluster was started with",
        "The hosts of the Ray cluster run different versions of Ray or Python.",
        "Install the same versions on all of them.",
        engines=VLLM,
    ),
    cause(
        _RAY,
        r"Could not find any running Ray instance|Failed to connect to GCS|GCS (?:at address )?\S{0,60} ?(?:is "
        r")?(?:not "
        r"reachable|unavailable)|ray\.exceptions\.RaySystemError",
        "The Ray cluster cannot be reached.",
        "See that `ray start` runs on the head and the workers, and that they reach the head's port.",
        engines=VLLM,
    ),
)

NCCL: tuple[Cause, ...] = (
    # vi/1710 and MiniMax-AI/MiniMax-01 issue 42: containers with a small /dev/shm
    cause(
        "shm-too-small",
        r"Error while creating shared memory segment|ncclShmOpen|NCCL WARN [^\n]{0,80}/dev/shm",
        "The GPUs could not make shared memory for NCCL: /dev/shm is too small or full.",
        "Enlarge /dev/shm there (in a container: --shm-size 10g or --ipc host), and remove old /dev/shm/nccl-* files.",
        engines=("vllm",),
    ),
    cause(
        "nccl-duplicate-gpu",
        r"Duplicate GPU detected",
        "Two workers were given the same GPU.",
        "Name different serve.gpus, as many as serve.tensor_parallel_size x serve.pipeline_parallel_size.",
        engines=("vllm",),
    ),
    cause(
        "nccl-no-peer-access",
        r"peer access is not supported between these two devices",
        "The GPUs cannot reach each other's memory directly.",
        'Add --disable-custom-all-reduce to serve.extra_args, or NCCL_P2P_DISABLE = "1" to serve.env.',
        engines=("vllm",),
    ),
    # torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp; vi/6042, vi/5484
    cause(
        "nccl-timeout",
        r"Watchdog caught collective operation timeout[^\n]{0,200}ran for (?P<ms>\d+) milliseconds",
        "The GPUs waited {ms} ms for each other {when}: one of them is stuck or its process is gone.",
        'Deploy it again with NCCL_DEBUG = "INFO" in serve.env; where it comes back, NCCL_P2P_DISABLE = "1" '
        "tells whether "
        "the direct path between the GPUs is at fault.",
        engines=("vllm",),
    ),
    # ncclUnhandledCudaError; vi/4383
    cause(
        "nccl-cuda-error",
        r"NCCL error[^\n]{0,160}unhandled cuda error|ncclUnhandledCudaError",
        "NCCL met a CUDA error between the GPUs {when}; often one of them is out of memory, or driver and NCCL "
        "do not fit.",
        'Look at `nvidia-smi` there, lower serve.gpu_memory_utilization, and set NCCL_DEBUG = "INFO" in '
        "serve.env for the "
        "line that says more.",
        engines=("vllm",),
    ),
    # vi/4618, vi/6574
    cause(
        "nccl-system-error",
        r"NCCL error[^\n]{0,160}unhandled system error|ncclSystemError|NCCL_ERROR_SYSTEM_ERROR",
        "NCCL failed in the operating system {when}: shared memory, a network interface, or a limit.",
        "Check the size of /dev/shm, name the interface with NCCL_SOCKET_IFNAME in serve.env, and set NCCL_DEBUG "
        '= "INFO" '
        "for the line that says which.",
        engines=("vllm",),
    ),
    cause(
        "nccl-peer-lost",
        r"ncclRemoteError|remote process exited or there was a network error|NCCL communicator was aborted",
        "A GPU's process lost its peers {when}: another worker ended, or the network between hosts broke.",
        "Read the log of the other workers and hosts: the first that ended has the reason.",
        engines=("vllm",),
    ),
    cause(
        "nccl-failed",
        r"NCCL error|ncclInternalError|ncclInvalidUsage|ncclInvalidArgument|DistBackendError",
        "The GPUs could not talk to each other {when} (NCCL).",
        'Set NCCL_DEBUG = "INFO" in serve.env and deploy again: NCCL then says why.',
        engines=("vllm",),
    ),
)
