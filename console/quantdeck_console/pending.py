"""Rollbacks that a host has not acknowledged, kept on this machine until it has: `pending.json`."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.rollout.wish import Wish

MOST = 4096
"""Hosts out of reach times experiments; more is refused and never forgotten silently."""
MAX_BYTES = 16 << 20


class PendingFileError(QuantdeckError):
    """It cannot be read or written."""

    code = "pending-file"
    title = "Cannot keep what is pending"


class PendingFile:
    """Several commands and a guard may use one file at a time; each change is on disk when it returns."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_pending_path()

    def stamp(self) -> tuple[int, int]:
        """Another value for another content; cheap enough to look at every second."""
        with contextlib.suppress(OSError):
            found = self.path.stat()
            return found.st_mtime_ns, found.st_ino
        return 0, 0

    def read(self) -> tuple[Wish, ...]:
        """All wishes, oldest first; none where there is no file.

        Raises:
            PendingFileError: it cannot be read. What is no list of wishes is moved aside, so that the next one is kept.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise PendingFileError(f"Cannot read {self.path}: {error}.", "Check who owns it.") from None
        try:
            if len(data) > MAX_BYTES:
                raise msgspec.DecodeError(f"more than {MAX_BYTES >> 20} MiB")
            return msgspec.json.decode(data, type=tuple[Wish, ...])
        except msgspec.MsgspecError as error:
            raise PendingFileError(f"{self.path} is damaged: {error}.", self._moved_aside()) from None

    def change(self, add: Iterable[Wish] = (), drop: Collection[Wish] = ()) -> None:
        """Put wishes in place of those with the same key, and take out others.

        Args:
            drop: taken out only as they are here: one that was asked for again meanwhile stays.

        Raises:
            PendingFileError: it cannot be written, or holds too many.
        """
        with self._locked():
            before = self.read()
            new = {one.key: one for one in add}
            kept = [one for one in before if one.key not in new and one not in drop]
            after = (*kept, *new.values())
            if len(after) > max(MOST, len(before)):
                raise PendingFileError(
                    f"{len(after):,} rollbacks are pending, and {self.path} keeps {MOST:,}.",
                    "`quantdeck guard` carries them out once their hosts answer.",
                )
            if after != before:
                self._write(after)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PendingFileError(f"Cannot write {self.path}: {error}.", "Check who owns its folder.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, wishes: tuple[Wish, ...]) -> None:
        temporary = self.path.with_suffix(".new")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(wishes)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise PendingFileError(f"Cannot write {self.path}: {error}.", "Make room, or check who owns it.") from None

    def _moved_aside(self) -> str:
        aside = self.path.with_suffix(".damaged")
        try:
            self.path.replace(aside)
        except OSError as error:
            return f"Move it away: {error}."
        return f"It is {aside} now: look there for what was pending, and ask for it again."


def default_pending_path() -> Path:
    """Where this user's programs keep their state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "quantdeck" / "pending.json"
