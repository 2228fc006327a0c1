"""Hashes of files that were read before, so that a model of 140 GB is not read again to know that it is the same."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import NamedTuple

KEPT = 20_000
_SETTLED_NS = 50_000_000
"""A file that was written so shortly ago might be written again within the same tick of the file system's clock."""


class FileKey(NamedTuple):
    """A file's content, as far as the file system tells; it stays the same when the file is renamed or linked."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileKey:
        """From a status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class DigestCache:
    """An SQLite file; used from any thread. A cache that cannot be read or written is an empty one."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = _open(path)
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError, sqlite3.Error):
                path.unlink(missing_ok=True)  # damaged: everything in it can be read again
                self._db = _open(path)
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db:
                self._db.close()
            self._db = None

    def get(self, key: FileKey) -> str | None:
        """The SHA-256 of the file when it was like this."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._db:
                query = "SELECT sha256 FROM digest WHERE device = ? AND inode = ? AND size = ? AND mtime_ns = ?"
                row = self._db.execute(query, _row(key)).fetchone()
                return str(row[0]) if row else None
        return None

    def put(self, key: FileKey, sha256: str) -> None:
        """Remember it, unless the file was written to just now."""
        now = time.time_ns()
        if 0 <= now - key.mtime_ns < _SETTLED_NS:
            return
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._db:
                self._db.execute("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?)", (*_row(key), sha256, now))
                self._db.execute(
                    "DELETE FROM digest WHERE rowid IN (SELECT rowid FROM digest ORDER BY t DESC LIMIT -1 OFFSET ?)",
                    (KEPT,),
                )


def _row(key: FileKey) -> tuple[int, int, int, int]:
    """SQLite keeps 63 bits and a sign; some file systems number inodes with 64."""
    device, inode = (value - (1 << 64) if value >= 1 << 63 else value for value in (key.device, key.inode))
    return device, inode, key.size, key.mtime_ns


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(
            "CREATE TABLE IF NOT EXISTS digest (device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER, "
            "sha256 TEXT NOT NULL, t INTEGER NOT NULL, PRIMARY KEY (device, inode))"
        )
        db.execute("CREATE INDEX IF NOT EXISTS digest_t ON digest (t)")
    except BaseException:
        db.close()
        raise
    return db
