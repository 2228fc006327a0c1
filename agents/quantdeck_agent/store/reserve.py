"""Room kept back on the disk, so that a rollback can be written when everything else is full."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

RESERVE_BYTES = 1 << 20
_ROOM_FACTOR = 16
"""It is made, or made again, where this many times its size is free: it must not be what fills the disk."""


class Reserve:
    """A file of zeros beside the database.

    Attributes:
        there: it is allocated.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.there = False

    def make(self) -> None:
        """Allocate it where there is none and the disk has room to spare."""
        try:
            self.there = self._path.exists() and self._path.stat().st_size >= RESERVE_BYTES
            if self.there:
                return
            room = os.statvfs(self._path.parent)
            if room.f_bavail * room.f_frsize < _ROOM_FACTOR * RESERVE_BYTES:
                return
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, RESERVE_BYTES)
            finally:
                os.close(file)
            self.there = True
        except OSError:
            self.release()

    def release(self) -> bool:
        """Give its room free; whether there was any."""
        self.there = False
        with contextlib.suppress(OSError):
            self._path.unlink()
            return True
        return False
