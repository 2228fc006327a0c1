"""From two files that may be damaged to one state: what was acknowledged is in it, or it says that it is lost."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from quantdeck_agent.store.database import EMPTY, Database
from quantdeck_agent.store.errors import DamagedError, StateNewerError, unusable, write_error
from quantdeck_agent.store.journal import Journal, read_journal
from quantdeck_agent.store.quarantine import quarantine
from quantdeck_agent.store.rows import State

GONE = "it is not there"


@dataclass(frozen=True)
class Files:
    """Where a state lies."""

    database: Path

    @property
    def folder(self) -> Path:
        return self.database.parent

    @property
    def journal(self) -> Path:
        return self.database.with_suffix(".journal")

    @property
    def of_database(self) -> tuple[Path, ...]:
        """The database and what SQLite keeps beside it: they belong together."""
        name = self.database.name
        return (self.database, *(self.database.with_name(name + end) for end in ("-wal", "-shm", "-journal")))


@dataclass(frozen=True)
class Recovered:
    """A state that can be worked with.

    Attributes:
        news: what had to be done, empty where all was well.
        level: `warn` or `fail`, of the news.
    """

    database: Database
    journal: Journal
    news: str = ""
    level: str = "warn"


def recover(files: Files) -> Recovered:
    """Open the state; damaged files are moved to `quarantine/` and made again from the other copy.

    Raises:
        StateNewerError: a newer version wrote it.
        StateUnusableError: no permission, or a read-only disk.
        StateWriteError: something had to be written, and the disk refused.
    """
    _check_access(files)
    try:
        return _recover(files)
    except OSError as error:
        raise write_error(files.database, error) from None


def _recover(files: Files) -> Recovered:
    database, why_not = _open_database(files)
    try:
        copy = _open_journal(files, database)
        last = copy.state.serial - 1 if copy.state else copy.seen  # the last change may not have come to the database
        if database is not None and last > database.serial:
            why_not = f"it ends at change {database.serial}, and later ones were acknowledged"
            database.abandon()
            database = None
        if database is not None:
            return _with_database(files, database, copy)
    except BaseException:
        if database is not None:
            database.abandon()
        raise
    if copy.state is None and not copy.news and why_not in (GONE, EMPTY):
        quarantine(files.folder, files.of_database, why_not)
        return _fresh(files, "", "warn")
    return _without_database(files, copy, why_not)


def _with_database(files: Files, database: Database, copy: _Copy) -> Recovered:
    """The database is sound: it may lack the last change, or the journal has to be made again."""
    journal, saved, why_not = Journal(files.journal), copy.state, copy.news
    if saved is not None and saved.serial == database.serial + 1:
        database.replace_all(saved)  # the agent ended between the two
    if saved is not None and (saved.serial, saved.digest) == (database.serial, database.digest):
        journal.resume(saved.serial, copy.length)
        return Recovered(database, journal)
    if saved is not None:
        why_not = f"it ends at change {saved.serial}, and the database at {database.serial}"
        quarantine(files.folder, [files.journal], why_not)
    news = ""
    if why_not:
        news = f"The second copy of the agent's state was damaged ({why_not}) and was made again; nothing is lost."
    try:
        journal.rewrite(database.serial, database.digest, database.state())
    except OSError as error:
        news = news or f"The second copy of the agent's state cannot be written yet ({error.strerror})."
    return Recovered(database, journal, news)


def _without_database(files: Files, copy: _Copy, why_not: str) -> Recovered:
    """The database is damaged or gone."""
    place = quarantine(files.folder, files.of_database, why_not)
    lies = f" The damaged file is in {place}." if place else ""
    if copy.state is None:
        second = copy.news or "there is none"
        news = (
            f"The agent's state was damaged ({why_not}), and so was its second copy ({second}): it begins with an "
            f"empty one.{lies} Engines go on; look at each experiment before you trust its weights."
        )
        return _fresh(files, news, "fail")
    database = Database(files.database, make=True)
    try:
        database.replace_all(copy.state)
        journal = Journal(files.journal)
        journal.resume(copy.state.serial, copy.length)
    except BaseException:
        database.abandon()
        raise
    news = f"The agent's state was damaged ({why_not}) and was made again from its second copy; nothing is lost.{lies}"
    return Recovered(database, journal, news)


def _fresh(files: Files, news: str, level: str) -> Recovered:
    database = Database(files.database, make=True)
    journal = Journal(files.journal)
    try:
        journal.rewrite(database.serial, database.digest, [])
    except OSError:
        database.abandon()
        raise
    return Recovered(database, journal, news, level)


def _open_database(files: Files) -> tuple[Database | None, str]:
    """The sound database, or why it is none."""
    try:
        found = files.database.stat()
    except FileNotFoundError:
        return None, "a link to nowhere is in its place" if files.database.is_symlink() else GONE
    if not stat.S_ISREG(found.st_mode):
        return None, "something that is no file is in its place"
    try:
        return Database(files.database, make=False), ""
    except DamagedError as error:
        return None, str(error)
    except StateNewerError:
        if _is_ours(files):  # the version number itself is what was damaged
            return None, "its version is not the one that was written"
        raise


def _is_ours(files: Files) -> bool:
    try:
        read_journal(files.journal)
    except (DamagedError, OSError):
        return False
    return True


@dataclass(frozen=True)
class _Copy:
    """What the journal holds.

    Attributes:
        state: None where it is of no use; `news` then says why, or is empty where none was to be expected.
        length: bytes of it that are sound.
        seen: the highest number of a change that a useless one proves.
    """

    state: State | None = None
    length: int = 0
    news: str = ""
    seen: int = 0


def _open_journal(files: Files, database: Database | None) -> _Copy:
    """Read the journal; a damaged one is moved away."""
    try:
        if files.journal.exists() and not files.journal.is_file():
            raise DamagedError("something that is no file is in its place")
        state, length = read_journal(files.journal)
    except FileNotFoundError:
        expected = database is not None and not database.migrated and database.serial > 1
        return _Copy(news=GONE if expected or files.journal.is_symlink() else "")
    except (DamagedError, OSError) as error:
        quarantine(files.folder, [files.journal], str(error))
        return _Copy(news=str(error), seen=error.seen if isinstance(error, DamagedError) else 0)
    return _Copy(state, length)


def _check_access(files: Files) -> None:
    """Permissions are no damage: nothing is moved because of them."""
    if not os.access(files.folder, os.R_OK | os.W_OK | os.X_OK):
        raise unusable(files.database, PermissionError(13, "no permission, or a read-only disk"))
    for file in (*files.of_database, files.journal):
        if file.is_file() and not os.access(file, os.R_OK | os.W_OK):
            raise unusable(file, PermissionError(13, "no permission, or a read-only disk"))
