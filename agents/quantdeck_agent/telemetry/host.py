"""One reading of the machine."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from quantdeck_agent.telemetry.cpu import CpuUse
from quantdeck_agent.telemetry.gpu import Memory
from quantdeck_agent.telemetry.gpus import GpuReading
from quantdeck_agent.telemetry.memory_pressure import memory_pressure
from quantdeck_agent.telemetry.network import Network
from quantdeck_agent.telemetry.sensors import Sensors
from quantdeck_agent.telemetry.sysfs import text_of
from quantdeck_agent.telemetry.throttling import Throttling
from quantdeck_core.protocol.host import HostSample
from quantdeck_core.text import clean


class HostReader:
    """Reads CPU, memory, disk, network and sensors.

    Args:
        disk: a path on the disk whose free space matters (the state folder's).
        models: the model root; counted where it is on another disk.
        root: of the machine's `/proc` and `/sys`.
    """

    def __init__(self, disk: Path, models: Path | None = None, root: Path = Path("/")) -> None:
        self._disk, self._models, self._root = disk, models, root
        self._board = clean(text_of(root / "proc/device-tree/model") or "", one_line=True)
        self._throttling = Throttling(root)
        self._network = Network(root)
        self._sensors = Sensors()
        self._cpu = CpuUse()

    def ram(self) -> Memory:
        """Of the machine, bytes."""
        memory = psutil.virtual_memory()
        return Memory(used=memory.total - memory.available, total=memory.total)

    def read(self, t: float, gpus: GpuReading, ram: Memory | None = None) -> HostSample:
        """A reading at a UNIX time; CPU use is since the reading before."""
        now = time.monotonic()
        ram = ram or self.ram()
        swap = _swap()
        disk = psutil.disk_usage(str(self._disk))
        models_free, models_total = self._models_disk()
        self._sensors.refresh(now)
        clock = self._throttling.clock()
        rx, tx = self._network.rates(now)
        some, full = memory_pressure(self._root)
        return HostSample(
            t=round(t, 3),
            cpu_percent=self._cpu.percent(),
            cpu_count=psutil.cpu_count() or 1,
            load_1m=round(psutil.getloadavg()[0], 2),
            memory_used_bytes=ram.used,
            memory_total_bytes=ram.total,
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            models_disk_free_bytes=models_free,
            models_disk_total_bytes=models_total,
            swap_used_bytes=swap.used if swap else None,
            swap_total_bytes=swap.total if swap else None,
            rx_bytes_per_s=rx,
            tx_bytes_per_s=tx,
            temperatures=self._sensors.temperatures,
            fan_rpm=self._sensors.fan_rpm,
            throttled=self._throttling.reasons(),
            cpu_mhz=clock.now,
            cpu_max_mhz=clock.top,
            memory_some_percent=some,
            memory_full_percent=full,
            gpus=gpus.gpus,
            lost_gpus=gpus.lost,
            gpu_note=gpus.note,
            driver=gpus.driver,
            board=self._board,
        )

    def _models_disk(self) -> tuple[int | None, int | None]:
        """Free and total bytes; None where there is no such folder, or it is on the state's disk."""
        if self._models is None:
            return None, None
        try:
            if self._models.stat().st_dev == self._disk.stat().st_dev:
                return None, None
            usage = psutil.disk_usage(str(self._models))
        except OSError:
            return None, None
        return usage.free, usage.total


def _swap() -> Memory | None:
    try:
        swap = psutil.swap_memory()
    except (OSError, RuntimeError):
        return None
    return Memory(used=swap.used, total=swap.total)
