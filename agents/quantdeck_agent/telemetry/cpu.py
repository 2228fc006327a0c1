"""Use of all cores between two readings, by whichever thread reads."""

from __future__ import annotations

import psutil

_SHORTEST_S = 0.05
"""The kernel counts in hundredths of a second: shorter spans tell nothing."""


class CpuUse:
    """psutil's own `cpu_percent` remembers for each thread, and begins with 0 in a new one."""

    def __init__(self) -> None:
        self._total, self._idle = _times()
        self._percent = 0.0

    def percent(self) -> float:
        """Since the reading before; that one again where hardly any time has gone by."""
        total, idle = _times()
        cores = psutil.cpu_count() or 1
        if total - self._total >= _SHORTEST_S * cores:
            busy = 1 - (idle - self._idle) / (total - self._total)
            self._percent = round(100 * min(1.0, max(0.0, busy)), 1)
            self._total, self._idle = total, idle
        return self._percent


def _times() -> tuple[float, float]:
    """Seconds of all cores together, and those without work. Linux counts guests in `user` and `nice` already."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total, times.idle + getattr(times, "iowait", 0.0)
