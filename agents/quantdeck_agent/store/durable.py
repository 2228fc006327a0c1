"""Everything that makes a change durable: two files, one lock, and what happens when a disk or a file is bad."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quantdeck_agent.store.errors import (
    DamagedError,
    StateDamagedError,
    StateWriteError,
    is_damage,
    is_disk_full,
    write_error,
)
from quantdeck_agent.store.lock import take_lock
from quantdeck_agent.store.recovery import Files, Recovered, recover
from quantdeck_agent.store.reserve import Reserve
from quantdeck_agent.store.rows import Change, Table, Value

Tell = Callable[[str, str], None]

COMPLAIN_S = 60.0
"""An alarm of a disk that refuses comes at most this often: an almost full one takes every other change."""
log = logging.getLogger("quantdeck.agent.store")


class Durable:
    """The files of one agent's state, locked against a second one.

    Every change is in the journal and in the database when it is acknowledged, and in neither when it is refused.

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
        self._refusing = self._complained = False
        self._complained_at = -COMPLAIN_S
        self._pending: list[Change] | None = None
        self._lock = take_lock(path)
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
        except DamagedError as error:
            raise self._mended(str(error)) from None
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
        """A change is on disk: tell it where the last ones were not, and keep the journal short."""
        self._refusing = False
        if self._complained:
            self._complained = False
            self._say("warn", f"The state in {self._files.folder} can be written again.")
        if not self._reserve.there:
            self._reserve.make()
        if not self._journal.too_long:
            return
        try:
            self._journal.rewrite(self._db.serial, self._db.digest, self._db.state())
        except OSError as error:
            log.warning("the journal cannot be shortened now: %s", error)
        except DamagedError as error:
            self._mended(str(error))

    def _refused(self, error: Exception) -> StateWriteError:
        if isinstance(error, sqlite3.Error) and is_damage(error):
            return self._mended(str(error))
        refusal = write_error(self._files.database, error)
        now = time.monotonic()
        if not self._refusing and now - self._complained_at >= COMPLAIN_S:
            self._complained, self._complained_at = True, now
            self._say("fail", refusal.detail)
        self._refusing = True
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

    def _rows(self, table: Table, rest: str, arguments: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        """Checked rows.

        Raises:
            StateDamagedError: inside a transaction; outside of one the state is made again and read.
            StateWriteError: the disk gives nothing back.
        """
        try:
            return self._read(table, rest, arguments)
        except DamagedError as error:
            refusal = self._mended(str(error))
        if self._pending is not None:
            raise refusal
        try:
            return self._read(table, rest, arguments)
        except DamagedError:
            raise refusal from None

    def _read(self, table: Table, rest: str, arguments: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        try:
            return list(self._db.rows(table, rest, arguments))
        except sqlite3.Error as error:
            raise self._refused(error) from None
