"""How far transfers have got, one line a host, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass, field

from quantdeck_core.fleet.cells import NONE, age, size, whole_percent
from quantdeck_core.protocol.models import Job

_REDRAW_S = 0.2
_WINDOW_S = 5.0


@dataclass
class Pace:
    """The rate over the last seconds."""

    points: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, t: float, done: int) -> None:
        """So many bytes at this time; a counter that fell begins anew."""
        if self.points and done < self.points[-1][1]:
            self.points.clear()
        self.points.append((t, done))
        while self.points[-1][0] - self.points[0][0] > _WINDOW_S:
            self.points.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes per second; None before there are two readings."""
        if len(self.points) < 2 or self.points[-1][0] == self.points[0][0]:
            return None
        (t0, first), (t1, last) = self.points[0], self.points[-1]
        return (last - first) / (t1 - t0)


class Progress:
    """Draws over its own last lines on standard error; silent where that is no terminal."""

    def __init__(self, hosts: list[str], *, silent: bool) -> None:
        self._on = not silent and sys.stderr.isatty()
        self._jobs: dict[str, Job | None] = dict.fromkeys(hosts)
        self._pace = {host: Pace() for host in hosts}
        self._states: dict[str, str] = {}
        self._drawn = 0.0
        self._lines = 0

    def told(self, host: str, job: Job) -> None:
        """Something about one host."""
        if self._states.get(host) != job.state:
            self._pace[host] = Pace()
        self._states[host] = job.state
        self._jobs[host] = job
        self._pace[host].add(time.monotonic(), job.bytes_done)
        if self._on and time.monotonic() - self._drawn >= _REDRAW_S:
            self._draw()

    def done(self) -> None:
        """Leave the last state on the screen."""
        if self._on and self._lines:
            self._draw()

    def _draw(self) -> None:
        width = max(map(len, self._jobs))
        lines = [f"{host:<{width}}  {progress_line(job, self._pace[host].rate)}" for host, job in self._jobs.items()]
        up = f"\x1b[{self._lines}A" if self._lines else ""
        sys.stderr.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn, self._lines = time.monotonic(), len(lines)


def progress_line(job: Job | None, rate: float | None) -> str:
    """State, share, rate and the time that is left."""
    if job is None:
        return "connecting"
    if job.bytes_total is None:
        return f"{job.state}  {size(job.bytes_done)}  {size(rate)}/s" if rate else job.state
    share = f"{job.state:<9} {whole_percent(job.bytes_done, job.bytes_total):>4} of {size(job.bytes_total)}"
    if not rate:
        return share
    left = (job.bytes_total - job.bytes_done) / rate
    return f"{share}  {size(rate)}/s  {age(left) if left >= 0 else NONE} left"
