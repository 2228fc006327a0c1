"""What the agent must not forget, in SQLite: written and synced before anything is acknowledged."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from quantdeck_core.errors import ConflictError, InputError
from quantdeck_core.protocol.experiment import TimelineEntry

T = TypeVar("T")

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE record (kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE request (id TEXT PRIMARY KEY, answer BLOB NOT NULL, t REAL NOT NULL);
CREATE TABLE timeline (
    seq INTEGER PRIMARY KEY, t REAL NOT NULL, subject TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, by TEXT NOT NULL
);
CREATE INDEX timeline_subject ON timeline (subject, seq);
"""
_REQUESTS_KEPT_S = 86_400.0


class StateBusyError(ConflictError):
    """Another agent owns the state folder."""

    code = "state-busy"
    title = "Another agent runs here"


class Store:
    """The database of one agent, locked against a second one.

    Records are msgspec structs, one table for all kinds: their history is the timeline, not the schema.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        Raises:
            StateBusyError: another agent uses this folder.
            InputError: the database was written by a newer version.
        """
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StateBusyError(
                f"An agent already uses {path.parent}.", "Stop that one first, or give this one another --state folder."
            ) from None
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            self.close()
            raise InputError(
                f"{path} was written by a newer quantdeck (schema {version}, this one knows {SCHEMA_VERSION}).",
                "Start the newer version again, or give this one another --state folder.",
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        """Close the database and give the folder free."""
        self._db.close()
        os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is on disk when it ends, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put(self, kind: str, name: str, body: msgspec.Struct) -> None:
        """Insert or replace a record."""
        self._db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, name, msgspec.json.encode(body)))

    def delete(self, kind: str, name: str) -> None:
        """Remove a record; nothing happens where there is none."""
        self._db.execute("DELETE FROM record WHERE kind = ? AND name = ?", (kind, name))

    def all(self, kind: str, of: type[T]) -> dict[str, T]:
        """All records of a kind by name."""
        rows = self._db.execute("SELECT name, body FROM record WHERE kind = ? ORDER BY name", (kind,))
        return {name: msgspec.json.decode(body, type=of) for name, body in rows}

    def answer_of(self, request_id: str, of: type[T]) -> T | None:
        """What a request was answered with, where it was applied before."""
        row = self._db.execute("SELECT answer FROM request WHERE id = ?", (request_id,)).fetchone()
        return msgspec.json.decode(row[0], type=of) if row else None

    def remember(self, request_id: str, answer: msgspec.Struct, now: float) -> None:
        """Keep an answer for a day, in case the same request comes again."""
        self._db.execute("DELETE FROM request WHERE t < ?", (now - _REQUESTS_KEPT_S,))
        self._db.execute(
            "INSERT OR REPLACE INTO request VALUES (?, ?, ?)", (request_id, msgspec.json.encode(answer), now)
        )

    def note(self, subject: str, entry: TimelineEntry) -> None:
        """Add a line to a subject's timeline."""
        self._db.execute(
            "INSERT INTO timeline (t, subject, kind, text, by) VALUES (?, ?, ?, ?, ?)",
            (entry.t, subject, entry.kind, entry.text, entry.by),
        )

    def timeline(self, subject: str, most: int = 20) -> tuple[TimelineEntry, ...]:
        """The newest lines of a subject, oldest first."""
        rows = self._db.execute(
            "SELECT t, kind, text, by FROM timeline WHERE subject = ? ORDER BY seq DESC LIMIT ?", (subject, most)
        ).fetchall()
        return tuple(TimelineEntry(t=t, kind=kind, text=text, by=by) for t, kind, text, by in reversed(rows))
