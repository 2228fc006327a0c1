"""The database file: opened, proven to hold what was written, and changed row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from quantdeck_agent.store.errors import DamagedError, is_damage, newer, primary_code, unusable, write_error
from quantdeck_agent.store.rows import KEYS, VALUES, Change, State, Table, Value, checksum, number
from quantdeck_agent.store.schema import SCHEMA_VERSION, columns, head_sum, migrate, write_head

EMPTY = "it is empty"
_NO_SUCH_VERSION = 1000
_WAL_PAGES = 256
_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_ALL: tuple[Table, ...] = ("record", "request", "timeline")


def _put(table: Table) -> str:
    marks = ", ".join("?" * (len(KEYS[table]) + len(VALUES[table]) + 1))
    return f"INSERT OR REPLACE INTO {table} ({columns(table)}, sum) VALUES ({marks})"  # noqa: S608 - our own names


def _where(table: Table) -> str:
    return " AND ".join(f"{column} = ?" for column in KEYS[table])


_PUT = {table: _put(table) for table in _ALL}
_GET_SUM = {table: f"SELECT sum FROM {table} WHERE {_where(table)}" for table in _ALL}  # noqa: S608 - our own names
_DELETE = {table: f"DELETE FROM {table} WHERE {_where(table)}" for table in _ALL}  # noqa: S608 - our own names
_SELECT = {table: f"SELECT {columns(table)}, sum FROM {table} " for table in _ALL}  # noqa: S608 - our own names


class Database:
    """One open file that holds a proven state.

    Attributes:
        serial: number of the last committed change.
        digest: over all rows.
        migrated: an older version wrote it.
    """

    def __init__(self, path: Path, *, make: bool) -> None:
        """Open a database; with `make`, make an empty one.

        Raises:
            DamagedError: it is not what was written.
            StateNewerError: a newer version wrote it.
            StateUnusableError: no permission, or a read-only disk.
            StateWriteError: it had to be made or upgraded, and there is no room.
        """
        self.path = path
        self.serial, self.digest, self.migrated = 0, 0, False
        self._committed = 0
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise DamagedError(str(error)) from None
        try:
            self._open(make)
        except sqlite3.Error as error:
            self.abandon()
            if primary_code(error) == sqlite3.SQLITE_FULL:
                raise write_error(path, error) from None
            if primary_code(error) in _DISK:
                raise unusable(path, error) from None
            raise DamagedError(str(error)) from None
        except (ValueError, TypeError, OverflowError, UnicodeError) as error:  # text that is none, numbers out of range
            self.abandon()
            raise DamagedError(str(error)) from None
        except BaseException:
            self.abandon()
            raise

    def _open(self, make: bool) -> None:
        db = self._db
        # One process, one writer: without shared memory there is no -shm file that a full disk could tear.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        db.execute("PRAGMA temp_store = MEMORY")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            self._check_pages()
            if version > _NO_SUCH_VERSION:
                raise DamagedError(f"its schema has the number {version}")
            raise newer(self.path, version, SCHEMA_VERSION)
        if version == 0 and not make:
            raise DamagedError(EMPTY)
        if version < SCHEMA_VERSION:
            self._check_pages()
            db.execute("BEGIN IMMEDIATE")
            migrate(db, version)
            db.execute("COMMIT")
            self.migrated = version > 0
        self._prove()

    def _check_pages(self) -> None:
        found = [text for (text,) in self._db.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise DamagedError("; ".join(str(text).replace("\n", " ") for text in found)[:200])

    def _prove(self) -> None:
        """Every page, every row, and that no row is missing or too many."""
        self._check_pages()
        for table in _ALL:
            for _ in self.rows(table):
                pass
        heads = self._db.execute("SELECT serial, sum FROM head").fetchall()
        digest = 0
        for table in _ALL:
            for (own,) in self._db.execute(f"SELECT sum FROM {table}"):  # noqa: S608 - our own names
                digest ^= number(own)
        if len(heads) != 1 or heads[0][1] != head_sum(heads[0][0], digest):
            raise DamagedError("rows are missing, or are those of another state")
        self.serial, self.digest, self._committed = heads[0][0], digest, digest

    def rows(self, table: Table, rest: str = "", arguments: tuple[Value, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows with their columns in order, each checked; `rest` is what follows FROM.

        Raises:
            DamagedError: one is not what was written.
        """
        try:
            for *fields, own in self._db.execute(_SELECT[table] + rest, arguments):
                if own != checksum(table, tuple(fields)):
                    raise DamagedError(f"a row of {table} does not match its checksum")
                yield tuple(fields)
        except (ValueError, TypeError, OverflowError, UnicodeError) as error:
            raise DamagedError(str(error)) from None
        except sqlite3.Error as error:
            if is_damage(error) or primary_code(error) in (sqlite3.SQLITE_ERROR, 0):
                raise DamagedError(str(error)) from None
            raise

    def begin(self) -> None:
        """Begin a transaction."""
        self._db.execute("BEGIN IMMEDIATE")

    def apply(self, change: Change) -> None:
        """Change one row inside the transaction.

        Raises:
            DamagedError: there is none any more, since the database was made again meanwhile.
        """
        if not self._db.in_transaction:
            raise DamagedError("the transaction ended early")
        old = self._db.execute(_GET_SUM[change.table], change.key).fetchone()
        if old:
            self.digest ^= number(old[0])
        if change.values is None:
            self._db.execute(_DELETE[change.table], change.key)
            return
        fields = change.key + change.values
        own = checksum(change.table, fields)
        self.digest ^= number(own)
        self._db.execute(_PUT[change.table], (*fields, own))

    def next_seq(self) -> int:
        """The next number of a timeline's line."""
        (last,) = self._db.execute("SELECT max(seq) FROM timeline").fetchone()
        return int(last or 0) + 1

    def commit(self, serial: int) -> None:
        """On disk when this returns."""
        write_head(self._db, serial, self.digest)
        self._db.execute("COMMIT")
        self.serial, self._committed = serial, self.digest

    def roll_back(self) -> None:
        """Undo the transaction, where one is open."""
        self.digest = self._committed
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def replace_all(self, state: State) -> None:
        """Make it hold exactly this state.

        Raises:
            StateWriteError: there is no room.
        """
        try:
            self.begin()
            for table in _ALL:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            self.digest = 0
            for change in state.changes():
                self.apply(change)
            self.commit(state.serial)
        except sqlite3.Error as error:
            self.roll_back()
            raise write_error(self.path, error) from None

    def state(self) -> Iterable[Change]:
        """Everything, row by row."""
        for table in _ALL:
            width = len(KEYS[table])
            for row in self.rows(table):
                yield Change(table, row[:width], row[width:])

    def close(self) -> None:
        """Close it, with its log written back."""
        self._db.close()

    def abandon(self) -> None:
        """Close a file that is damaged, whatever that says."""
        try:
            self._db.close()
        except sqlite3.Error:
            return
