"""GPUs, drivers, and what a GPU can compute."""

from __future__ import annotations

from quantdeck_core.engines.causes.cause import Cause, cause
from quantdeck_core.profile.names import LLAMACPP, VLLM

_DRIVER = "Update the NVIDIA driver of the host, or install an engine that was built for this driver's CUDA."

CAUSES: tuple[Cause, ...] = (
    # V config/vllm.py
    cause(
        "gpu-too-old",
        r"quantization method (?P<method>[\w-]{1,40}) is not supported for the current GPU\. Minimum capability: "
        r"(?P<need>\d+)\. Current capability: (?P<has>\d+)",
        "{method} needs a GPU of compute capability {need} (without its point); this one has {has}.",
        "Choose another quantization: `quantdeck check MODEL --gpu NAME` says which ones this GPU can serve.",
        engines=VLLM,
    ),
    # V model_executor/layers/quantization/compressed_tensors/compressed_tensors.py, quark/quark.py
    cause(
        "gpu-too-old",
        r"Quantization scheme is not supported for the current GPU\. Min capability: (?P<need>\d+)\. Current "
        r"capability: "
        r"(?P<has>\d+)",
        "The checkpoint's scheme needs a GPU of compute capability {need} (without its point); this one has {has}.",
        "Choose another quantization: `quantdeck check MODEL --gpu NAME` says which ones this GPU can serve.",
        engines=VLLM,
    ),
    # V platforms/cuda.py, platforms/rocm.py
    cause(
        "dtype-unsupported",
        r"Bfloat16 is only supported on GPUs with compute capability of at least (?P<need>[\d.]{1,5})",
        "bfloat16 needs a GPU of compute capability {need} or more.",
        'Set serve.dtype = "float16".',
        engines=VLLM,
    ),
    # cudaErrorNoKernelImageForDevice, hipErrorNoBinaryForGpu
    cause(
        "gpu-unsupported",
        r"no kernel image is available for execution on the device|hipErrorNoBinaryForGpu"
        r"|is not compatible with the current PyTorch installation",
        "The engine was not built for this GPU: it has no kernels for it.",
        "Install a build of the engine that names this GPU's compute capability.",
    ),
    cause(
        "driver-too-old",
        r"NVIDIA driver on your system is too old \(found version (?P<found>\d+)\)",
        "The NVIDIA driver is too old for this engine: it offers CUDA {found}.",
        _DRIVER,
    ),
    # cudaErrorInsufficientDriver, cudaErrorUnsupportedPtxVersion, cudaErrorCompatNotSupportedOnDevice
    cause(
        "driver-too-old",
        r"CUDA driver version is insufficient for CUDA runtime version|compiled with an unsupported toolchain"
        r"|forward compatibility was attempted on non supported HW",
        "The NVIDIA driver is too old for this engine.",
        _DRIVER,
    ),
    # cudaErrorSystemDriverMismatch, NVML_ERROR_LIB_RM_VERSION_MISMATCH
    cause(
        "driver-mismatch",
        r"unsupported display driver / cuda driver combination|Driver/library version mismatch",
        "The NVIDIA driver's kernel module and its libraries are of different versions.",
        "The driver was updated while it was loaded: restart the host.",
    ),
    # cudaErrorSystemNotReady
    cause(
        "fabric-not-ready",
        r"Error 802: system not yet initialized|CUDA error: system not yet initialized",
        "The GPUs' NVSwitch fabric is not up.",
        "Start nvidia-fabricmanager on the host (its version must be the driver's), then deploy again.",
    ),
    cause(
        "gpu-lost",
        r"GPU is lost|fallen off the bus|uncorrectable ECC error|cudaErrorECCUncorrectable",
        "The GPU itself failed {when}: an uncorrectable memory error, or it left the bus.",
        "Take this host out of use; `dmesg | grep -i xid` and `nvidia-smi -q -d ECC` there say more. A GPU reset or a "
        "restart of the host may bring it back.",
    ),
    cause(
        "gpu-busy",
        r"CUDA-capable device\(s\) is/are busy or unavailable",
        "The GPU is busy: another process has it alone.",
        "End what holds it (`nvidia-smi` shows it), or choose other serve.gpus.",
        engines=("vllm", *LLAMACPP),
    ),
    # V config/parallel.py
    cause(
        "gpu-missing",
        r"World size \((?P<need>\d+)\) is larger than the number of available GPUs \((?P<has>\d+)\)",
        "The profile divides the model among {need} GPUs, and the engine sees {has}.",
        "Lower serve.tensor_parallel_size or serve.pipeline_parallel_size, or name more serve.gpus.",
        engines=("vllm",),
    ),
    cause(
        "gpu-missing",
        r"invalid device ordinal|invalid value for main_gpu: (?:-?\d+)",
        "A GPU was named that the engine does not see.",
        "Correct serve.gpus; `quantdeck fleet` shows what the host has.",
        engines=("vllm", *LLAMACPP),
    ),
    # V config/device.py; torch/cuda/__init__.py of PyTorch
    cause(
        "gpu-missing",
        r"Failed to infer device type|No CUDA GPUs are available|no CUDA-capable device is detected"
        r"|Found no NVIDIA driver on your system|Torch not compiled with CUDA enabled",
        "The engine sees no GPU.",
        "Check `nvidia-smi` on the host, and that the engine's build has CUDA; on a host without a GPU deploy a "
        "profile "
        "for its CPU.",
        engines=("vllm",),
    ),
    # cudaErrorIllegalAddress, cudaErrorAssert, cudaErrorLaunchFailure: faults of a kernel
    cause(
        "gpu-fault",
        r"(?P<what>an illegal memory access was encountered|device-side assert triggered|unspecified launch failure"
        r"|the launch timed out|misaligned address)",
        "A kernel failed on the GPU {when}: {what}.",
        "Deploy it again; if it comes back, try serve.enforce_eager = true or another serve.kv_cache_dtype, and "
        "look for "
        "Xid lines in `dmesg` there.",
        engines=("vllm",),
    ),
    cause(
        "gpu-fault",
        r"(?:CUDA|ROCm|HIP|MUSA) error: (?P<what>[a-zA-Z ,/()-]{1,80})$",
        "A kernel failed on the GPU {when}: {what}.",
        'Deploy it again; if it comes back, try serve.flash_attn = "off", and look for Xid lines in `dmesg` there.',
        engines=LLAMACPP,
    ),
)
