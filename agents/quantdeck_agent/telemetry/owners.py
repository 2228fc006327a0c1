"""Which engine a process on a GPU is a part of: each engine is started in a session of its own."""

from __future__ import annotations

import os
from collections.abc import Collection

import msgspec

from quantdeck_core.protocol.host import GpuProcess, GpuSample, HostSample

Processes = tuple[GpuProcess, ...]


def with_engines(sample: HostSample, leaders: Collection[int]) -> HostSample:
    """A reading whose GPU processes say which engine they are of.

    Args:
        leaders: PIDs of the engines' first processes.
    """
    if not leaders or not any(gpu.processes or gpu.mig for gpu in sample.gpus):
        return sample
    return msgspec.structs.replace(sample, gpus=tuple(_gpu(gpu, leaders) for gpu in sample.gpus))


def _gpu(gpu: GpuSample, leaders: Collection[int]) -> GpuSample:
    parts = gpu.mig and tuple(
        msgspec.structs.replace(part, processes=_named(part.processes, leaders)) for part in gpu.mig
    )
    return msgspec.structs.replace(gpu, processes=_named(gpu.processes, leaders), mig=parts)


def _named(processes: Processes | None, leaders: Collection[int]) -> Processes | None:
    return processes and tuple(msgspec.structs.replace(one, engine=_leader(one.pid, leaders)) for one in processes)


def _leader(pid: int, leaders: Collection[int]) -> int | None:
    try:
        session = os.getsid(pid)
    except OSError:  # it has ended meanwhile
        return None
    return session if session in leaders else None
