"""One agent a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from quantdeck_agent.store.errors import StateBusyError, unusable


def take_lock(path: Path) -> int:
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
    except OSError as error:  # a network disk that knows no locks
        os.close(lock)
        raise unusable(file, error) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
