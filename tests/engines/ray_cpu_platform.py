"""Installed beside vLLM by install-ray.sh: its platform for CPUs, with devices that Ray can count."""

import os

from vllm.platforms.cpu import CpuPlatform


class RayCpuPlatform(CpuPlatform):
    """As vLLM has it, but for the name under which Ray counts its devices."""

    ray_device_key = "GPU"


def register() -> str:
    """The class's name, for vLLM; called in each of its processes."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; else it would take a share of the machine
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return f"{__name__}.RayCpuPlatform"
