"""The last hour of every series at full rate, in memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

KEPT_S = 3600
MOST_SERIES = 1024
"""14 KiB each: at most 14 MiB. 8 GPUs and 16 engines have 285 series, 4 MiB."""


class Ring:
    """One value for each second of the last hour, single precision (4 bytes); what is missing is NaN."""

    __slots__ = ("_values", "last")

    def __init__(self, second: int) -> None:
        self.last = second - 1
        self._values = array("f", [math.nan]) * KEPT_S

    def put(self, second: int, value: float) -> None:
        """A value for a UNIX second, the present one or one shortly before."""
        if second > self.last:
            for gap in range(max(self.last + 1, second - KEPT_S + 1), second):
                self._values[gap % KEPT_S] = math.nan
            self.last = second
        elif self.last - second >= KEPT_S:
            return
        self._values[second % KEPT_S] = value

    def at(self, second: int) -> float:
        """The value of a second; NaN where there is none."""
        return self._values[second % KEPT_S] if self.last - KEPT_S < second <= self.last else math.nan


class Recent:
    """All series; bounded."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        self.refused = 0
        """Values of series that found no room."""

    def put(self, second: int, name: str, value: float | None) -> None:
        """A value for a UNIX second; None and what is not finite is missing."""
        ring = self._rings.get(name)
        if ring is None:
            if value is None:
                return
            if len(self._rings) >= MOST_SERIES and not self._make_room(second):
                self.refused += 1
                return
            ring = self._rings[name] = Ring(second)
        elif second < ring.last - 1:  # the clock was set back: what lies ahead did not happen
            ring = self._rings[name] = Ring(second)
        ring.put(second, math.nan if value is None or not math.isfinite(value) else value)

    def _make_room(self, second: int) -> bool:
        """Drop series without a value for an hour: their engines are gone."""
        for name in [name for name, ring in self._rings.items() if ring.last <= second - KEPT_S]:
            del self._rings[name]
        return len(self._rings) < MOST_SERIES

    def names(self) -> list[str]:
        """Series with a value, or a hole, within the hour."""
        return sorted(self._rings)

    def values(self, name: str, start: int, end: int) -> Iterator[float]:
        """Values of `start` <= second < `end`; NaN where missing."""
        ring = self._rings.get(name)
        for second in range(start, end):
            yield math.nan if ring is None else ring.at(second)
