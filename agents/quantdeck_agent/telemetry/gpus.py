"""NVIDIA GPUs through NVML, and a clear word where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pynvml

from quantdeck_core.protocol.host import GpuSample


class Memory(NamedTuple):
    """Bytes."""

    used: int
    total: int


class Gpus:
    """NVML, opened once."""

    def __init__(self) -> None:
        self.note = ""
        """Why there is nothing to show; empty where there are GPUs."""
        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError_LibraryNotFound:
            self.note, count = "no GPU: NVML library not found", 0
        except pynvml.NVMLError as error:
            self.note, count = f"no GPU: {error}", 0
        self._handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        if not self._handles and not self.note:
            self.note = "no GPU: the driver lists none"

    def sample(self, ram: Memory) -> tuple[GpuSample, ...]:
        """One reading of each GPU; one that fell off the bus is left out.

        Args:
            ram: of the machine, which GPUs without memory of their own use.
        """
        samples = (_sample(index, handle, ram) for index, handle in enumerate(self._handles))
        return tuple(sample for sample in samples if sample)


def _sample(index: int, handle: Any, ram: Memory) -> GpuSample | None:
    memory = _memory(handle, ram)
    if memory is None:
        return None
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    utilization = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    temperature = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    power_mw = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    return GpuSample(
        index=index,
        name=str(_ask(pynvml.nvmlDeviceGetName, handle) or "unknown"),
        memory_used_bytes=memory.used,
        memory_total_bytes=memory.total,
        utilization_percent=None if utilization is None else int(utilization.gpu),
        temperature_c=None if temperature is None else int(temperature),
        power_w=None if power_mw is None else power_mw / 1000,
        sm=None if capability is None else capability[0] * 10 + capability[1],
        unified=memory is ram,
    )


def _memory(handle: Any, ram: Memory) -> Memory | None:
    """None where the GPU does not answer. NVML reads no memory of GB10 and Jetson: they use the machine's."""
    try:
        reading = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError_NotSupported:
        return ram
    except pynvml.NVMLError:
        return None
    return Memory(used=int(reading.used), total=int(reading.total))


def _ask(read: Callable[..., Any], *arguments: Any) -> Any:
    """A reading, or None where this GPU or driver does not give it."""
    try:
        return read(*arguments)
    except pynvml.NVMLError:
        return None
