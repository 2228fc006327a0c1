"""Who a process is: its PID alone is not enough, since the kernel gives it to others later."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec
import psutil

from quantdeck_agent.process.life import Life
from quantdeck_ledger.process_memory import family

_EXEC_S = 0.1
MARKER = "QUANTDECK_PROCESS"
"""Environment variable that names a process started by an agent: `<owner>/<name>`."""
_START_FIELD = 19
"""`starttime` of /proc/PID/stat, counted from the field behind the program's name (proc_pid_stat(5))."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def start_time(pid: int) -> float:
    """When a process was started, seconds: since the boot where the kernel says so (Linux), else UNIX time.

    A clock that is set moves UNIX times of starts too, and an engine must not look like another process then.

    Raises:
        psutil.Error: there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return float(psutil.Process(pid).create_time())
    return int(stat.rpartition(b")")[2].split()[_START_FIELD]) / _TICKS_PER_S


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started here.

    Attributes:
        created: as `start_time` tells it.
        marker: value of `MARKER` in its environment.
    """

    pid: int
    created: float
    marker: str

    def process(self) -> psutil.Process | None:
        """The live process, or None where it has ended or the PID belongs to somebody else by now."""
        try:
            process = psutil.Process(self.pid)
            if abs(start_time(self.pid) - self.created) > 0.5 or process.status() == psutil.STATUS_ZOMBIE:
                return None
            environment = process.environ()
            # A process that writes its title over its environment (setproctitle) carries nothing.
            return process if environment.get(MARKER) == self.marker or not environment else None
        except psutil.Error:
            return None

    def alive(self) -> bool:
        """Whether it still runs; may be asked several times a second."""
        life = _lives.get(self)
        if life is None:
            life = Life.of(self.pid)  # held first, then looked at: afterwards it cannot become somebody else
            if self.process() is None:
                if life:
                    life.close()
                return False
            if life is None:
                return True
            _lives[self] = life
        if life.ended():
            life.close()
            del _lives[self]
            return False
        return True

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the whole session that it leads; nothing where it is gone."""
        if self.alive():
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return


_lives: dict[ProcessIdentity, Life] = {}
"""Of those that were alive when they were asked for last."""


class ResidentMemory:
    """Resident memory of a process and its children, read again only after a while.

    To find children, every process of the machine is looked at, which is too much for once a second.
    """

    EVERY_S = 5.0

    def __init__(self) -> None:
        self._of: ProcessIdentity | None = None
        self._read_at = 0.0
        self._bytes: int | None = None

    def bytes_of(self, identity: ProcessIdentity | None, now: float) -> int | None:
        """Bytes at a monotonic time, seconds; None where there is no such process."""
        if identity != self._of or now - self._read_at >= self.EVERY_S:
            self._of, self._read_at = identity, now
            self._bytes = _rss_bytes(identity.process() if identity else None)
        return self._bytes


def _rss_bytes(process: psutil.Process | None) -> int | None:
    if process is None:
        return None
    total = 0
    for one in family(process):
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


def identify(pid: int, marker: str) -> ProcessIdentity | None:
    """The identity of a process that was just started, None where it has ended already."""
    try:
        process = psutil.Process(pid)
        deadline = time.monotonic() + _EXEC_S
        # The kernel says that a program was started a moment before its environment can be read.
        while process.environ().get(MARKER) != marker and time.monotonic() < deadline:
            time.sleep(0.001)
        return ProcessIdentity(pid=pid, created=start_time(pid), marker=marker)
    except psutil.Error:
        return None
