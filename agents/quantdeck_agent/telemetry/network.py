"""Bytes per second over the machine's network interfaces."""

from __future__ import annotations

from pathlib import Path

import psutil

from quantdeck_core.engines.rate import Rate


class Network:
    """Counts hardware interfaces, and all but loopback where there are none (in containers): bridges and tunnels
    carry the same bytes once more."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "sys/class/net"
        self._hardware: dict[str, bool] = {}
        self._rx, self._tx = Rate(), Rate()
        self._counted: tuple[str, ...] = ()

    def rates(self, now: float) -> tuple[float | None, float | None]:
        """Received and sent at a monotonic time, seconds; None until two readings are there."""
        try:
            counters = psutil.net_io_counters(pernic=True)
        except OSError:
            counters = {}
        for name in counters.keys() - self._hardware.keys():
            self._hardware[name] = (self._folder / name / "device").exists()
        names = [name for name in counters if self._hardware[name]] or [name for name in counters if name != "lo"]
        counted = tuple(sorted(names))
        if counted != self._counted:  # an interface came or went: its total is no traffic
            self._counted, self._rx, self._tx = counted, Rate(), Rate()
        if not counted:
            return None, None
        rx = self._rx.add(now, sum(counters[name].bytes_recv for name in counted))
        tx = self._tx.add(now, sum(counters[name].bytes_sent for name in counted))
        return (None if rx is None else round(rx)), (None if tx is None else round(tx))
