"""Temperatures and fans. A server has hundreds of sensors, some slow: the hottest of each chip, every few seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from quantdeck_core.protocol.host import Temperature
from quantdeck_core.text import clean

EVERY_S = 5.0
MOST = 8


class Sensors:
    """Reads again only after a while.

    Args:
        source: `psutil`, or something with its two functions.
    """

    def __init__(self, source: Any = psutil) -> None:
        self._source = source
        self._read_at: float | None = None
        self.temperatures: tuple[Temperature, ...] = ()
        self.fan_rpm: int | None = None

    def refresh(self, now: float) -> None:
        """Read them at a monotonic time, seconds."""
        if self._read_at is not None and now - self._read_at < EVERY_S:
            return
        self._read_at = now
        self.temperatures = _hottest(self._ask("sensors_temperatures"))
        speeds = [int(fan.current) for fans in self._ask("sensors_fans").values() for fan in fans]
        self.fan_rpm = max(speeds, default=None)

    def _ask(self, function: str) -> Mapping[str, Sequence[Any]]:
        """psutil lacks the functions where the system has no sensors, and drivers may fail."""
        try:
            found: Mapping[str, Sequence[Any]] = getattr(self._source, function)()
        except (AttributeError, OSError, RuntimeError):
            return {}
        return found


def _hottest(chips: Mapping[str, Sequence[Any]]) -> tuple[Temperature, ...]:
    hottest = []
    for chip, entries in chips.items():
        known = [one for one in entries if one.current is not None and -60 < one.current < 200]
        if known:
            one = max(known, key=lambda entry: entry.current)
            name = f"{chip} {one.label}".strip()
            hottest.append(
                Temperature(
                    # The chip alone: its hottest sensor changes, and an alarm must find its end again.
                    name=clean(chip if len(known) > 1 else name, one_line=True)[:40],
                    c=round(one.current, 1),
                    high_c=one.high,
                    critical_c=one.critical,
                )
            )
    return tuple(sorted(hottest, key=lambda one: -one.c)[:MOST])
