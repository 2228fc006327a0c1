"""What the agent must not forget: written and synced, twice, before anything is acknowledged."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quantdeck_agent.store.errors import (
    DamagedError,
    StateBusyError,
    StateDamagedError,
    StateWriteError,
    is_damage,
    is_disk_full,
    unusable,
    write_error,
)
from quantdeck_agent.store.recovery import Files, Recovered, recover
from quantdeck_agent.store.reserve import Reserve
from quantdeck_agent.store.rows import Change, Table, Value
from quantdeck_core.protocol.experiment import TimelineEntry

T = TypeVar("T")
Tell = Callable[[str, str], None]

_REQUESTS_KEPT_S = 86_400.0
LINES_KEPT = 1000
"""Newest lines of one subject's timeline."""
log = logging.getLogger("quantdeck.agent.store")


class Store:
    """The state of one agent, locked against a second one.

    Records are msgspec structs, one table for all kinds: their history is the timeline, not the schema. Every change is
    in the journal and in the database when it is acknowledged, and in neither when it is refused.

    Attributes:
        recovered: what had to be mended when it was opened, empty where all was well.
        recovered_level: `warn`, or `fail` where something is lost.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the state.

        Raises:
            StateBusyError: another agent uses this folder.
            StateNewerError: a newer version wrote it.
            StateUnusableError: no permission, or a read-only disk.
            StateWriteError: something had to be written to open it, and the disk refused.
        """
        self._files = Files(path)
        self._reserve = Reserve(path.with_suffix(".reserve"))
        self._tell: Tell | None = None
        self._refusing = False
        self._pending: list[Change] | None = None
        self._lock = _lock(path)
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise
        self._reserve.make()

    def _open(self) -> None:
        try:
            opened = recover(self._files)
        except StateWriteError:
            if not self._reserve.release():
                raise
            opened = recover(self._files)
        self._take(opened)

    def _take(self, opened: Recovered) -> None:
        self._db, self._journal = opened.database, opened.journal
        self.recovered, self.recovered_level = opened.news, opened.level
        if opened.news:
            log.error("%s", opened.news)

    def close(self) -> None:
        """Close the files and give the folder free."""
        self._db.close()
        self._journal.close()
        os.close(self._lock)

    def watch(self, tell: Tell) -> None:
        """Tell somebody of trouble, `tell(level, text)`: first what opening it had to mend, then what happens later."""
        self._tell = tell
        if self.recovered:
            tell(self.recovered_level, self.recovered)

    # Changing

    @contextlib.contextmanager
    def transaction(self, *, urgent: bool = False) -> Iterator[None]:
        """Everything inside is on disk when it ends, or nothing of it. One inside another is part of that one.

        Args:
            urgent: it makes things safer, as a rollback or a stop: on a full disk the reserve is given up for it.

        Raises:
            StateWriteError: the disk refused; nothing was changed.
            StateDamagedError: the database was damaged; it was made again, without this change.
        """
        if self._pending is not None:
            yield
            return
        self._pending = []
        try:
            self._begin(urgent)
            yield
            if self._pending:
                self._commit(self._pending, urgent)
        except sqlite3.Error as error:
            raise self._refused(error) from None
        finally:
            self._undo()
            self._pending = None

    def _begin(self, urgent: bool) -> None:
        if not self._journal.sound:  # an error of the disk, or somebody deleted it
            self._copy(urgent)
        self._db.begin()

    def _copy(self, urgent: bool) -> None:
        try:
            self._journal.rewrite(self._db.serial, self._db.digest, self._db.state())
        except OSError as error:
            if not self._may_use_reserve(urgent, error):
                raise self._refused(error) from None
            self._copy(False)

    def _commit(self, changes: list[Change], urgent: bool) -> None:
        try:
            self._write(changes)
        except (OSError, sqlite3.Error) as error:
            if not self._may_use_reserve(urgent, error):
                raise self._refused(error) from None
            self._undo()
            self._db.begin()
            for change in changes:
                self._db.apply(change)
            self._commit(changes, False)
        else:
            self._accepted()

    def _write(self, changes: list[Change]) -> None:
        """The journal, then the database; a change that the database refuses is taken out of the journal again.

        Raises:
            OSError, sqlite3.Error: neither holds it.
        """
        serial, before = self._db.serial + 1, self._journal.length
        self._journal.append(serial, self._db.digest, changes)
        try:
            self._db.commit(serial)
        except sqlite3.Error:
            self._journal.undo(serial - 1, before)
            raise

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.roll_back()

    def _may_use_reserve(self, urgent: bool, error: Exception) -> bool:
        given_up = urgent and is_disk_full(error) and self._reserve.release()
        if given_up:
            log.error("the disk is full; the reserve was given up for an urgent change")
        return given_up

    def _accepted(self) -> None:
        if self._refusing:
            self._refusing = False
            self._say("warn", f"The state in {self._files.folder} can be written again.")
            self._reserve.make()
        if self._journal.too_long:
            try:
                self._journal.rewrite(self._db.serial, self._db.digest, self._db.state())
            except OSError as error:
                log.warning("the journal cannot be shortened now: %s", error)

    def _refused(self, error: Exception) -> StateWriteError | StateDamagedError:
        if isinstance(error, sqlite3.Error) and is_damage(error):
            return self._mended(str(error))
        refusal = write_error(self._files.database, error)
        if not self._refusing:
            self._refusing = True
            self._say("fail", refusal.detail)
        return refusal

    def _say(self, level: str, text: str) -> None:
        log.error("%s", text)
        if self._tell:
            self._tell(level, text)

    def _mended(self, why: str) -> StateDamagedError:
        """The database was damaged under our hands: make it again from the journal."""
        log.error("the database was damaged: %s", why)
        self._db.abandon()
        self._journal.close()
        self._open()
        if self._tell and self.recovered:
            self._tell(self.recovered_level, self.recovered)
        return StateDamagedError(
            f"The agent's state was damaged ({why}) and was made again. This change was not made.", "Repeat it."
        )

    def _change(self, *changes: Change) -> None:
        if self._pending is None:
            with self.transaction():
                self._change(*changes)
            return
        for change in changes:
            self._db.apply(change)
            self._pending.append(change)

    def put(self, kind: str, name: str, body: msgspec.Struct) -> None:
        """Insert or replace a record."""
        self._change(Change("record", (kind, name), (msgspec.json.encode(body).decode(),)))

    def delete(self, kind: str, name: str) -> None:
        """Remove a record; nothing happens where there is none."""
        if any(row[1] == name for row in self._rows("record", "WHERE kind = ? AND name = ?", (kind, name))):
            self._change(Change("record", (kind, name), None))

    def remember(self, request_id: str, answer: msgspec.Struct, now: float) -> None:
        """Keep an answer for a day, in case the same request comes again."""
        old = self._rows("request", "WHERE t < ?", (now - _REQUESTS_KEPT_S,))
        forgotten = [Change("request", (row[0],), None) for row in old if row[0] != request_id]
        values = (msgspec.json.encode(answer).decode(), float(now))
        self._change(*forgotten, Change("request", (request_id,), values))

    def note(self, subject: str, entry: TimelineEntry) -> None:
        """Add a line to a subject's timeline."""
        last = f"WHERE subject = ? ORDER BY seq DESC LIMIT -1 OFFSET {LINES_KEPT - 1}"
        forgotten = [Change("timeline", (row[0],), None) for row in self._rows("timeline", last, (subject,))]
        values = (float(entry.t), subject, entry.kind, entry.text, entry.by)
        self._change(*forgotten, Change("timeline", (self._db.next_seq(),), values))

    def try_note(self, subject: str, entry: TimelineEntry) -> bool:
        """As `note`, where no line is worth more than the loop that writes it: False where the disk refused it."""
        try:
            self.note(subject, entry)
        except StateWriteError:
            return False
        return True

    # Reading

    def _rows(self, table: Table, rest: str, arguments: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        """Checked rows.

        Raises:
            StateDamagedError: inside a transaction; outside of one the state is made again and read.
        """
        try:
            return list(self._db.rows(table, rest, arguments))
        except DamagedError as error:
            inside = self._pending is not None
            refusal = self._mended(str(error))
            if inside:
                raise refusal from None
        return list(self._db.rows(table, rest, arguments))

    def all(self, kind: str, of: type[T]) -> dict[str, T]:
        """All records of a kind by name."""
        rows = self._rows("record", "WHERE kind = ? ORDER BY name", (kind,))
        return {name: msgspec.json.decode(body, type=of) for _, name, body in rows}

    def answer_of(self, request_id: str, of: type[T]) -> T | None:
        """What a request was answered with, where it was applied before."""
        rows = self._rows("request", "WHERE id = ?", (request_id,))
        return msgspec.json.decode(rows[0][1], type=of) if rows else None

    def timeline(self, subject: str, most: int = 20) -> tuple[TimelineEntry, ...]:
        """The newest lines of a subject, oldest first."""
        rows = self._rows("timeline", "WHERE subject = ? ORDER BY seq DESC LIMIT ?", (subject, most))
        return tuple(TimelineEntry(t=t, kind=kind, text=text, by=by) for _, t, _, kind, text, by in reversed(rows))


def _lock(path: Path) -> int:
    """Take the folder's lock; the file names the process that holds it.

    Raises:
        StateBusyError: another agent has it.
        StateUnusableError: it cannot be made.
    """
    file = path.with_suffix(".lock")
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(file, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise StateBusyError(
            f"An agent already uses {path.parent}{f' (PID {holder})' if holder.isdigit() else ''}.",
            "Stop that one first, or give this one another --state folder.",
        ) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
