"""NVIDIA GPUs through NVML, and a clear word where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from quantdeck_core.protocol.host import GpuSample


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

    def sample(self) -> tuple[GpuSample, ...]:
        """One reading of each GPU; one that fell off the bus is left out."""
        samples = (_sample(index, handle) for index, handle in enumerate(self._handles))
        return tuple(sample for sample in samples if sample)


def _sample(index: int, handle: Any) -> GpuSample | None:
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)
    if memory is None:
        return None
    utilization = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    temperature = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    power_mw = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    return GpuSample(
        index=index,
        name=str(_ask(pynvml.nvmlDeviceGetName, handle) or "unknown"),
        memory_used_bytes=int(memory.used),
        memory_total_bytes=int(memory.total),
        utilization_percent=None if utilization is None else int(utilization.gpu),
        temperature_c=None if temperature is None else int(temperature),
        power_w=None if power_mw is None else power_mw / 1000,
    )


def _ask(read: Callable[..., Any], *arguments: Any) -> Any:
    """A reading, or None where this GPU or driver does not give it."""
    try:
        return read(*arguments)
    except pynvml.NVMLError:
        return None
