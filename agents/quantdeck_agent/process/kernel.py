"""What the kernel says of itself."""

from __future__ import annotations

from pathlib import Path

import psutil


def kills_for_memory() -> int:
    """Processes that it has killed for memory since the boot, cgroups included; 0 where it does not count them."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def boot_id() -> str:
    """Another text after each start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time(), -1))  # it moves a little when the clock is set
