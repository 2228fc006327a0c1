"""A reading of everything each second, in threads: drivers and network disks may hang, the agent may not."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import psutil

from quantdeck_agent.telemetry.background import Background
from quantdeck_agent.telemetry.gpus import GpuReading, Gpus
from quantdeck_agent.telemetry.host import HostReader
from quantdeck_core.fleet.cells import age
from quantdeck_core.protocol.host import GpuSample, HostSample, LostGpu

WAIT_S = 0.7
"""A reading that takes longer is left to itself, and the one before it is told meanwhile."""
FIRST_WAIT_S = 10.0
SILENT_S = 5.0
"""From then on the GPUs are lost: what was true so long ago is not told as if it were."""

log = logging.getLogger("quantdeck.agent.telemetry")


class Sampler:
    """Reads GPUs and machine.

    Args:
        disk, models: as for `HostReader`.
    """

    def __init__(self, disk: Path, models: Path | None = None, gpus: Gpus | None = None) -> None:
        self._host = HostReader(disk, models)
        self._gpus = gpus or Gpus()
        self._gpu_thread: Background[GpuReading] = Background("gpus")
        self._host_thread: Background[HostSample] = Background("host")
        self._last_gpus = GpuReading(note="GPUs are not read yet")
        self._last = self._host.read(time.time(), self._last_gpus)

    @property
    def last(self) -> HostSample:
        """The newest reading."""
        return self._last

    async def first(self) -> HostSample:
        """The first reading: it waits longer, since opening NVML takes seconds, and a host that has GPUs must not be
        taken for one without."""
        return await self.sample(FIRST_WAIT_S)

    async def sample(self, wait_s: float | None = None) -> HostSample:
        """A reading of now; the one before where the machine does not answer within a second."""
        wait_s = WAIT_S if wait_s is None else wait_s
        ram = self._host.ram()
        try:
            reading = await self._gpu_thread.run(lambda: self._gpus.read(ram, time.monotonic()), wait_s)
        except Exception as error:  # a library that fails in some new way must not end the agent
            log.exception("the GPUs cannot be read")
            reading = silent(self._last_gpus, f"the GPUs cannot be read: {type(error).__name__}")
        if reading is not None:
            self._last_gpus = reading
        elif self._gpu_thread.silent_s >= SILENT_S:
            self._last_gpus = silent(self._last_gpus, f"NVML has not answered for {age(self._gpu_thread.silent_s)}")
        gpus = self._last_gpus
        try:
            sample = await self._host_thread.run(lambda: self._host.read(time.time(), gpus, ram), WAIT_S)
        except (OSError, psutil.Error):  # the state folder's disk, most likely
            log.exception("the machine cannot be read")
            return self._last
        if sample is not None:
            self._last = sample
        return self._last


def silent(reading: GpuReading, note: str) -> GpuReading:
    """All GPUs of a reading as lost."""
    known: list[GpuSample | LostGpu] = [*reading.gpus, *reading.lost]
    lost = tuple(LostGpu(index=gpu.index, name=gpu.name, note=note, uuid=gpu.uuid, bus_id=gpu.bus_id) for gpu in known)
    return GpuReading((), lost, reading.note if lost else f"no GPU: {note}", reading.driver)
