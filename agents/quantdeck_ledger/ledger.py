"""The file of measurements: SQLite, shared by any number of processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.memory.load import Load
from quantdeck_ledger.row import from_row, to_row

_MIGRATIONS = (
    (
        """CREATE TABLE load (
            id INTEGER PRIMARY KEY AUTOINCREMENT, t REAL NOT NULL, host TEXT NOT NULL,
            engine TEXT NOT NULL, engine_version TEXT NOT NULL, model TEXT NOT NULL, title TEXT NOT NULL,
            device TEXT NOT NULL, kind TEXT NOT NULL, serving TEXT NOT NULL, sequences INTEGER NOT NULL,
            planned_weights INTEGER NOT NULL, planned_kv INTEGER NOT NULL, planned_overhead INTEGER NOT NULL,
            total INTEGER, weights INTEGER, kv INTEGER, sources TEXT NOT NULL
        )""",
        "CREATE INDEX load_key ON load (model, engine, engine_version, device, serving)",
    ),
)
"""Each takes the schema one version further. What was released is not changed, only followed by another."""
SCHEMA_VERSION = len(_MIGRATIONS)
_INSERT = """
INSERT INTO load (
    t, host, engine, engine_version, model, title, device, kind, serving, sequences,
    planned_weights, planned_kv, planned_overhead, total, weights, kv, sources
) VALUES (
    :t, :host, :engine, :engine_version, :model, :title, :device, :kind, :serving, :sequences,
    :planned_weights, :planned_kv, :planned_overhead, :total, :weights, :kv, :sources
)
"""
_BOUND_ONE_KIND = """
DELETE FROM load WHERE id IN (
    SELECT id FROM load WHERE model = :model AND engine = :engine AND engine_version = :engine_version
    AND device = :device AND serving = :serving ORDER BY t DESC, id DESC LIMIT -1 OFFSET :kept
)
"""
_BOUND_ALL = "DELETE FROM load WHERE id IN (SELECT id FROM load ORDER BY t DESC, id DESC LIMIT -1 OFFSET ?)"
_WAIT_S = 10.0
"""For other writers; each of them is done in milliseconds."""


class LedgerError(InputError):
    """The file of measurements cannot be used."""

    code = "ledger-unusable"
    title = "Cannot use the measurements"


class Entry(NamedTuple):
    """A measurement and its number in the file."""

    id: int
    load: Load


class Ledger:
    """One open file; leaving the context closes it.

    Attributes:
        path: of the file.
    """

    KEPT = 20
    """Newest loads of one model, engine, version, device and flags."""
    KEPT_IN_ALL = 5000

    def __init__(self, path: Path, *, write: bool) -> None:
        """Open the file; with `write`, make it where there is none.

        Raises:
            LedgerError: it cannot be opened, is damaged, or was written by a newer quantdeck.
        """
        self.path = path
        with self._explained():
            if write:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
            self._db = sqlite3.connect(place, uri=True, timeout=_WAIT_S, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        try:
            with self._explained():
                self._prepare(write)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def record(self, load: Load) -> int:
        """Add a measurement, on disk when this returns; the oldest of its kind go. Its number.

        Raises:
            LedgerError: it cannot be written.
        """
        row = to_row(load)
        with self._explained(), self._transaction():
            cursor = self._db.execute(_INSERT, row)
            self._db.execute(_BOUND_ONE_KIND, {**row, "kept": self.KEPT})
            self._db.execute(_BOUND_ALL, (self.KEPT_IN_ALL,))
        return cursor.lastrowid or 0

    def entries(self, model: str | None = None) -> tuple[Entry, ...]:
        """Measurements of a model, or all, oldest first.

        Raises:
            LedgerError: they cannot be read.
        """
        with self._explained():
            if not self._known_version():
                return ()  # somebody is just making it
            rows = self._db.execute("SELECT * FROM load WHERE ?1 IS NULL OR model = ?1 ORDER BY t, id", (model,))
            return tuple(Entry(row["id"], from_row(dict(row))) for row in rows)

    def forget(self, numbers: Sequence[int] | None) -> int:
        """Remove measurements by their numbers, or all; how many there were.

        Raises:
            LedgerError: it cannot be written.
        """
        with self._explained(), self._transaction():
            if numbers is None:
                return self._db.execute("DELETE FROM load").rowcount
            return sum(self._db.execute("DELETE FROM load WHERE id = ?", (one,)).rowcount for one in set(numbers))

    def _prepare(self, write: bool) -> None:
        if not write:
            self._known_version()
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if self._known_version() == SCHEMA_VERSION:
            return
        with self._transaction():
            # Asked again inside the lock: another process may have been faster.
            for statements in _MIGRATIONS[self._known_version() :]:
                for statement in statements:
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _known_version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"{self.path} was written by a newer quantdeck (schema {version}, this one knows {SCHEMA_VERSION}).",
                "Use the newer version, or name another file with --ledger.",
            )
        return int(version)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's and the disk's complaints, as ours."""
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.MsgspecError, OverflowError, ValueError) as error:
            raise LedgerError(
                f"Measurements cannot be kept in {self.path}, or read from it: {error}.",
                "If the file is damaged, move it away; --ledger FILE names another.",
            ) from None
