"""What can go wrong with the state, in words for people."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from quantdeck_core.errors import ConflictError, InputError, QuantdeckError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class StateBusyError(ConflictError):
    """Another agent owns the state folder."""

    code = "state-busy"
    title = "Another agent runs here"


class StateNewerError(InputError):
    """The state was written by a newer version."""

    code = "state-newer"
    title = "State of a newer version"


class StateUnusableError(InputError):
    """The state folder cannot be used at all: no permission, or a disk that is read-only."""

    code = "state-unusable"
    title = "Cannot use the state folder"


class StateWriteError(QuantdeckError):
    """A change could not be written: it is refused, and what was written before is intact."""

    code = "state-write-failed"
    title = "Cannot write the state"
    http_status = 507


class StateDamagedError(StateWriteError):
    """The database was damaged while the agent ran and has been made again, without the change that found it out."""

    code = "state-damaged"
    title = "The state was damaged"
    http_status = 503


class DamagedError(Exception):
    """A file of the state is not what was written; the text says how that shows. It never leaves this package.

    Attributes:
        seen: the highest number of a change that is in the file all the same, 0 where none is.
    """

    def __init__(self, how: str, seen: int = 0) -> None:
        super().__init__(how)
        self.seen = seen


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 where Python itself complains."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_disk_full(error: Exception) -> bool:
    """Whether there was no room."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file's content is to blame, and not the disk, the permissions or the lock."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)


def write_error(path: Path, error: Exception) -> StateWriteError:
    """Why a change was refused: which disk, how much room it has, and what to do."""
    folder = path.parent
    if is_disk_full(error):
        what, first = "the disk is full", f"Make room there: `df -h {folder}`, `du -xh {folder} | sort -h`."
    else:
        what, first = (
            _words(error),
            f"Look for errors of that disk in the kernel's log (`dmesg`); `df {folder}` names it.",
        )
    return StateWriteError(
        f"The state in {folder} cannot be written: {what}; {_room(folder)}. "
        "Nothing was changed, and what was saved before is intact.",
        f"{first} Then repeat it.",
    )


def newer(path: Path, schema: int, known: int) -> StateNewerError:
    """Why a file of a newer version is left alone."""
    return StateNewerError(
        f"{path} was written by a newer quantdeck (schema {schema}, this one knows {known}).",
        "Start the newer version again, or give this one another --state folder.",
    )


def unusable(path: Path, error: Exception) -> StateUnusableError:
    """Why the agent cannot start on this folder."""
    return StateUnusableError(
        f"The state in {path.parent} cannot be used: {_words(error)} ({path.name}); {_room(path.parent)}.",
        "Give its user the right to read and write that folder on a disk that is mounted read-write, or name another "
        "folder with --state.",
    )


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _room(folder: Path) -> str:
    try:
        room = os.statvfs(folder)
    except OSError:
        return "its free space cannot be read"
    free = room.f_bavail * room.f_frsize
    return f"{free / 1e6:.1f} MB are free"
