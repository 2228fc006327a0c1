"""A week of minutes in SQLite. Losing the last ones is no harm; a full disk or a broken file stops nothing else."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from quantdeck_agent.telemetry.points import Point

KEPT_S = 7 * 86_400
MOST_BYTES = 512 << 20
"""Of the file; then the oldest minutes go early."""
TIDY_EVERY_S = 3600
_VERSION = 1
_SCHEMA = """
CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE minute (
    t INTEGER NOT NULL, series INTEGER NOT NULL,
    least REAL NOT NULL, mean REAL NOT NULL, most REAL NOT NULL, last REAL NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (series, t)
) WITHOUT ROWID;
"""
log = logging.getLogger("quantdeck.agent.history")


class Minutes:
    """One file; used by one thread at a time.

    Attributes:
        note: why the last minutes could not be kept; empty where they were.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Open the file, or set a damaged one aside and begin anew."""
        self._path, self._most_bytes = path, most_bytes
        self.note = ""
        self._db: sqlite3.Connection | None = None
        self._tidied: int | None = None
        self._ids: dict[str, int] = {}
        self._open()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = None

    def write(self, t: int, points: Mapping[str, Point]) -> None:
        """Keep a minute that begins at a UNIX time, and forget once an hour what is too old."""
        with self._tolerant() as db:
            if db is None:
                return
            with db:
                rows = [(t, self._id(db, name), *one) for name, one in points.items()]
                db.executemany("INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if t // TIDY_EVERY_S != self._tidied:
                self._tidied = t // TIDY_EVERY_S
                self._forget(db, t - KEPT_S)
                self._bound(db)
            self.note = ""

    def names(self) -> list[str]:
        """All series of which a minute is kept."""
        with self._tolerant() as db:
            if db is not None:
                wanted = "SELECT name FROM series WHERE EXISTS (SELECT 1 FROM minute WHERE series = id) ORDER BY name"
                return [name for (name,) in db.execute(wanted)]
        return []

    def read(self, name: str, start: int, end: int) -> dict[int, Point]:
        """Points by UNIX time of a series, `start` <= time < `end`."""
        with self._tolerant() as db:
            if db is not None:
                rows = db.execute(
                    "SELECT t, least, mean, most, last, n FROM minute JOIN series ON series.id = minute.series"
                    " WHERE name = ? AND t >= ? AND t < ? ORDER BY t",
                    (name, start, end),
                )
                return {t: Point(*values) for t, *values in rows}
        return {}

    @property
    def size(self) -> int:
        """Bytes that are in use."""
        with self._tolerant() as db:
            if db is not None:
                return _used(db)
        return 0

    def _open(self) -> None:
        for attempt in (1, 2):
            try:
                self._db, self._ids = _opened(self._path), {}
                return
            except sqlite3.DatabaseError as error:
                self.close()
                if attempt == 2 or isinstance(error, sqlite3.OperationalError):  # no room, no right: nothing is broken
                    self._fail(error)
                    return
                self._set_aside(error)

    def _id(self, db: sqlite3.Connection, name: str) -> int:
        if name not in self._ids:
            db.execute("INSERT OR IGNORE INTO series (name) VALUES (?)", (name,))
            (self._ids[name],) = db.execute("SELECT id FROM series WHERE name = ?", (name,)).fetchone()
        return self._ids[name]

    def _forget(self, db: sqlite3.Connection, before: int) -> None:
        """Series by series, as they lie on the disk."""
        with db:
            for (one,) in db.execute("SELECT id FROM series").fetchall():
                db.execute("DELETE FROM minute WHERE series = ? AND t < ?", (one, before))
            db.execute("DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM minute WHERE series = id)")
        self._ids.clear()

    def _bound(self, db: sqlite3.Connection) -> None:
        """Forget the oldest tenth until the rest has room; pages that come free are used again."""
        while _used(db) > self._most_bytes:
            (first, last) = db.execute("SELECT min(t), max(t) FROM minute").fetchone()
            if first is None or first == last:
                return
            self._forget(db, first + max(60, (last - first) // 10))

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[sqlite3.Connection | None]:
        """The database, or None where there is none; whatever it fails with is noted, and a broken one replaced."""
        if self._db is None:
            self._open()
        try:
            yield self._db
        except sqlite3.OperationalError as error:  # full, read-only, busy: the next minute may fare better
            self._ids.clear()
            self._fail(error)
        except sqlite3.DatabaseError as error:
            self.close()
            self._set_aside(error)
            self._open()

    def _fail(self, error: sqlite3.Error) -> None:
        note = f"{self._path.name} is not written: {error}"
        if note != self.note:
            log.warning("%s", note)
        self.note = note

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Keep the latest damaged file for whoever wants to look; its journal would spoil a new one."""
        log.warning("%s is damaged (%s); a new one is begun at %d", self._path, error, int(time.time()))
        with contextlib.suppress(OSError):
            self._path.replace(self._path.with_suffix(".damaged"))
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, timeout=1.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"its schema is {version}")
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        db.execute("SELECT count(*) FROM series").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _used(db: sqlite3.Connection) -> int:
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
