"""One reading of the machine."""

from __future__ import annotations

from pathlib import Path

import psutil

from quantdeck_agent.telemetry.gpus import Gpus, Memory
from quantdeck_core.protocol.host import HostSample

_DEVICE_TREE_MODEL = Path("/proc/device-tree/model")


class HostSampler:
    """Reads CPU, memory, disk and GPUs."""

    def __init__(self, disk: Path) -> None:
        """`disk`: a path on the disk whose free space matters (the state folder's)."""
        self._disk = disk
        self._gpus = Gpus()
        self._board = _board()
        psutil.cpu_percent()  # the first call has nothing to compare with

    def sample(self, now: float) -> HostSample:
        """A reading at a UNIX time; CPU use is since the reading before."""
        memory = psutil.virtual_memory()
        ram = Memory(used=memory.total - memory.available, total=memory.total)
        return HostSample(
            t=now,
            cpu_percent=psutil.cpu_percent(),
            cpu_count=psutil.cpu_count() or 1,
            load_1m=psutil.getloadavg()[0],
            memory_used_bytes=ram.used,
            memory_total_bytes=ram.total,
            disk_free_bytes=psutil.disk_usage(str(self._disk)).free,
            gpus=self._gpus.sample(ram),
            gpu_note=self._gpus.note,
            board=self._board,
        )


def _board() -> str:
    """What the device tree calls this machine; servers and PCs have none."""
    try:
        return _DEVICE_TREE_MODEL.read_text("utf-8", errors="replace").rstrip("\0").strip()
    except OSError:
        return ""
