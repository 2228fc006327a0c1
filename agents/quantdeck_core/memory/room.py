"""How much of a device an engine may have."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.estimates import MIB, Estimates
from quantdeck_core.memory.serving import Serving
from quantdeck_core.profile.names import VLLM


class Site(NamedTuple):
    """Where it is to run.

    Attributes:
        amount: devices of this kind in the machine.
        ram_bytes: of the machine, None where it is not known.
    """

    device: Device
    amount: int = 1
    ram_bytes: int | None = None


def room_bytes(site: Site, serving: Serving, given: Estimates) -> int:
    """Bytes of one device that weights, cache and overhead together may take.

    vLLM books a share of the GPU, whatever the model needs. llama.cpp takes what it needs, and leaves a margin. Where
    CPU and GPU share the memory, the operating system needs some of it.

    Raises:
        InputError: the machine's memory is not known.
    """
    device = site.device
    if device.kind == "gpu":
        if serving.engine in VLLM:
            return int(device.memory_bytes * serving.gpu_memory_utilization)
        return max(0, device.memory_bytes - given.llamacpp.gpu_margin_mib * MIB)
    total = device.memory_bytes or site.ram_bytes
    if not total:
        raise InputError(f"How much memory {device.title} has is not known.", "Say it: --memory 64GiB.")
    free = total - max(given.machine.reserve_mib * MIB, int(total * given.machine.reserve_share))
    if device.kind == "apple":
        return min(free, int(total * given.machine.apple_gpu_share))
    if device.kind == "edge" and serving.engine in VLLM:
        return min(free, int(total * serving.gpu_memory_utilization))
    return max(0, free)
