"""History of every series: an hour by the second in memory, a week by the minute on disk."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from quantdeck_agent.telemetry import recent
from quantdeck_agent.telemetry.background import Background
from quantdeck_agent.telemetry.minutes import Minutes
from quantdeck_agent.telemetry.points import Point, merged, point
from quantdeck_agent.telemetry.recent import Recent
from quantdeck_core.protocol.history import HistoryAnswer, SeriesPoints

MINUTE_S = 60
_SETTLE_S = 2
"""A minute is written this long after its end, when its last readings have come in."""


class History:
    """Put from the event loop; written and read in a thread.

    Args:
        path: of the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._recent = Recent()
        self._minutes = Minutes(path)
        self._lock = threading.Lock()
        self._thread: Background[None] = Background("history")
        self._written: int | None = None

    @property
    def note(self) -> str:
        """Why minutes are not kept on disk; empty where they are."""
        return self._minutes.note

    def close(self) -> None:
        """Close the file; where the disk hangs, the process's end does that."""
        if self._lock.acquire(timeout=2.0):
            self._minutes.close()
            self._lock.release()

    def put(self, now: float, series: Mapping[str, float | None]) -> None:
        """Values at a UNIX time, seconds; None is missing."""
        second = int(now)
        if self._written is None or second < self._written:  # begun just now, or the clock was set back
            self._written = second // MINUTE_S * MINUTE_S
        for name, value in series.items():
            self._recent.put(second, name, value)

    async def keep(self) -> None:
        """Write each minute once it is over, until cancelled."""
        while True:
            now = time.time()
            await asyncio.sleep(MINUTE_S + _SETTLE_S - now % MINUTE_S)
            await self.flush(time.time())

    async def flush(self, now: float) -> None:
        """Write the whole minutes before a UNIX time that are not written yet."""
        end = int(now) // MINUTE_S * MINUTE_S
        if self._written is None:
            return
        for start in range(max(self._written, end - recent.KEPT_S), end, MINUTE_S):
            points = self._points(start)
            await self._thread.run(lambda start=start, points=points: self._write(start, points), 30.0)  # type: ignore[misc]
        self._written = max(self._written, end)

    def _points(self, start: int) -> dict[str, Point]:
        found = ((name, point(self._recent.values(name, start, start + MINUTE_S))) for name in self._recent.names())
        return {name: one for name, one in found if one is not None}

    def _write(self, start: int, points: Mapping[str, Point]) -> None:
        with self._lock:
            self._minutes.write(start, points)

    def names(self) -> list[str]:
        """All series that can be asked for. Reads the disk: not for the event loop."""
        with self._lock:
            return sorted({*self._recent.names(), *self._minutes.names()})

    def read(self, names: Sequence[str], since: float, step_s: int, now: float) -> HistoryAnswer:
        """Points of each series from a UNIX time to now. Reads the disk: not for the event loop.

        Args:
            step_s: seconds in a point; a minute at least where `since` lies more than an hour back.
        """
        start = int(since) // step_s * step_s
        end = int(now) // step_s * step_s + step_s
        # Minutes make no steps of seconds; what lies just beyond the hour is then missing.
        whole = step_s % MINUTE_S != 0 or start > now - recent.KEPT_S
        series = {}
        for name in names:
            found = self._seconds(name, start, end, step_s) if whole else self._all(name, start, end, step_s)
            series[name] = _columns(found)
        return HistoryAnswer(start=start, step=step_s, series=series)

    def _seconds(self, name: str, start: int, end: int, step_s: int) -> Iterator[Point | None]:
        for t in range(start, end, step_s):
            yield point(self._recent.values(name, t, t + step_s))

    def _all(self, name: str, start: int, end: int, step_s: int) -> Iterator[Point | None]:
        """From the disk; what is not written yet from memory."""
        with self._lock:
            minutes = self._minutes.read(name, start, end)
        for t in range(self._written or end, end, MINUTE_S):
            one = point(self._recent.values(name, t, t + MINUTE_S))
            if one is not None and t >= start:
                minutes.setdefault(t, one)
        for t in range(start, end, step_s):
            yield merged(
                minutes[at] for at in range(-(-t // MINUTE_S) * MINUTE_S, t + step_s, MINUTE_S) if at in minutes
            )


def _columns(points: Iterator[Point | None]) -> SeriesPoints:
    least, mean, most, last = [], [], [], []
    for one in points:
        least.append(_short(one.least) if one else None)
        mean.append(_short(one.mean) if one else None)
        most.append(_short(one.most) if one else None)
        last.append(_short(one.last) if one else None)
    return SeriesPoints(min=least, mean=mean, max=most, last=last)


def _short(value: float) -> float:
    """Single precision has seven digits."""
    return float(f"{value:.7g}")
