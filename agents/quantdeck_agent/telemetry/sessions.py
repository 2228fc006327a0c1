"""Memory of all engines in one pass over the processes: each engine is started in a session of its own."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

EVERY_S = 5.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


class SessionMemory:
    """Resident memory by session, read again only after a while.

    Resident sets are summed: what processes of one engine share (vLLM's weights in pinned or shared memory) counts
    once for each. The proportional set would be right, but the kernel walks all page tables for it, which takes
    milliseconds for each GiB.

    Args:
        proc: where the process files are.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._read_at: float | None = None
        self._leaders: frozenset[int] = frozenset()
        self._bytes: dict[int, int] = {}

    def read(self, now: float, leaders: Collection[int]) -> dict[int, int]:
        """Bytes by session leader's PID at a monotonic time, seconds; without those of whom there is no process.

        Args:
            leaders: PIDs of the processes that were started, each the leader of its session.
        """
        wanted = frozenset(leaders)
        if self._read_at is None or now - self._read_at >= EVERY_S or not wanted <= self._leaders:
            self._read_at, self._leaders = now, wanted
            self._bytes = self._scan(wanted) if wanted else {}
        return {leader: self._bytes[leader] for leader in wanted if leader in self._bytes}

    def _scan(self, wanted: frozenset[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for name in os.listdir(self._proc):
            if not name.isdecimal():
                continue
            stat = self._stat(name)
            if stat is not None and stat[0] in wanted:
                found[stat[0]] = found.get(stat[0], 0) + stat[1]
        return found

    def _stat(self, pid: str) -> tuple[int, int] | None:
        """Session and resident bytes; None where it has ended meanwhile.

        Fields 6 and 24 of proc(5); the name in field 2 may hold spaces and brackets, so what follows its end counts.
        """
        try:
            with open(f"{self._proc}/{pid}/stat", "rb", buffering=0) as file:
                fields = file.read(1024).rpartition(b")")[2].split()
            return int(fields[3]), int(fields[21]) * _PAGE
        except (OSError, IndexError, ValueError):
            return None
