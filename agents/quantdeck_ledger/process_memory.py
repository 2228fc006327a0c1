"""What a running engine takes: resident memory of its processes, and their memory on GPUs."""

from __future__ import annotations

from typing import Any

import psutil
import pynvml

from quantdeck_core.errors import NotFoundError, QuantdeckError


class NotMeasuredError(QuantdeckError):
    """A process is there, but its memory cannot be read."""

    code = "not-measured"
    title = "Cannot measure"


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants, as far as they can be seen."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def resident_bytes(pid: int) -> int:
    """RAM of a process and its descendants.

    Of one process its resident set: pages of a mapped file count whole, also where another replica maps them too. Of
    several the sum of their proportional sets (Linux), so that what they share is counted once; where that cannot be
    read, the sum of their resident sets.

    Raises:
        NotFoundError: there is no such process.
        NotMeasuredError: it belongs to somebody else.
    """
    sets = [one for process in family(_process(pid)) if (one := _sets(process)) is not None]
    if not sets:
        raise NotMeasuredError(f"The memory of process {pid} cannot be read.", "Measure as the user who runs it.")
    resident = [rss for rss, _ in sets]
    if len(sets) == 1:
        return resident[0]
    shared_once = [pss for _, pss in sets if pss is not None]
    return max(sum(shared_once), *resident) if len(shared_once) == len(sets) else sum(resident)


def gpu_bytes(pid: int) -> int:
    """GPU memory of a process and its descendants on the GPU where they have most, as NVML says.

    Raises:
        NotFoundError: there is no such process.
        NotMeasuredError: there is no NVIDIA driver, or no GPU with memory of these processes.
    """
    pids = {process.pid for process in family(_process(pid))}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NotMeasuredError(f"No NVIDIA GPU can be asked: {error}.", "Say what it took: --total SIZE.") from None
    try:
        on_each = [_on_gpu(index, pids) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise NotMeasuredError(f"NVML does not say who uses the GPUs: {error}.", "Give --total SIZE.") from None
    finally:
        pynvml.nvmlShutdown()
    most = max(on_each, default=0)
    if not most:
        raise NotMeasuredError(
            f"No GPU shows memory of process {pid} or its children.",
            "In a container NVML counts by the host's process numbers: measure on the host, or give --total SIZE.",
        )
    return most


def processes_on(handle: Any, nvml: Any = pynvml) -> dict[int, int | None]:
    """Bytes of GPU memory by PID on a GPU or a MIG device; None where the driver hides how much.

    A process with graphics and compute is in both of NVML's lists, with all of its memory in each: it counts once.

    Args:
        nvml: what answers, `pynvml` or something like it.

    Raises:
        NVMLError: it does not tell.
    """
    used: dict[int, int | None] = {}
    for listed in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        for process in listed(handle):
            amounts = [one for one in (used.get(process.pid), process.usedGpuMemory) if one is not None]
            used[process.pid] = max(amounts, default=None)
    return used


def _on_gpu(index: int, pids: set[int]) -> int:
    used = processes_on(pynvml.nvmlDeviceGetHandleByIndex(index))
    return sum(amount or 0 for pid, amount in used.items() if pid in pids)


def _process(pid: int) -> psutil.Process:
    try:
        return psutil.Process(pid)
    except (psutil.NoSuchProcess, ValueError):
        raise NotFoundError(f"There is no process {pid}.", "Name the engine's process.") from None


def _sets(process: psutil.Process) -> tuple[int, int | None] | None:
    """Resident and proportional set, bytes; None where it has ended or is somebody else's."""
    try:
        resident = process.memory_info().rss
    except psutil.Error:
        return None
    try:
        return resident, getattr(process.memory_full_info(), "pss", None)
    except psutil.Error:
        return resident, None
