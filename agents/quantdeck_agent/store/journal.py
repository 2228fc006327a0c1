"""The second copy: every change as a line of text with a checksum, written before the database is told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec

from quantdeck_agent.store.errors import DamagedError, newer
from quantdeck_agent.store.rows import CHECKSUM_BYTES, Change, State
from quantdeck_agent.store.schema import SCHEMA_VERSION

_LEAST_BYTES = 1 << 18
_GROWTH = 4
"""A journal is written again as one line when it is this many times as long, and at least `_LEAST_BYTES`."""
_SUM_CHARACTERS = 2 * CHECKSUM_BYTES


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a change of the state, or the whole state in the first line.

    Attributes:
        schema: version of the rows.
        serial: number of the change, one more than the line before.
        digest: over all rows after it.
    """

    schema: int
    serial: int
    digest: str
    changes: list[Change]


def _line(entry: Entry) -> bytes:
    body = msgspec.json.encode(entry)
    return _sum(body) + b" " + body + b"\n"


def _sum(body: bytes) -> bytes:
    return blake2b(body, digest_size=CHECKSUM_BYTES).hexdigest().encode()


class Journal:
    """The open file.

    Attributes:
        serial: of its last line.
    """

    def __init__(self, path: Path) -> None:
        """For a file that was read by `read_journal`, or is about to be written by `rewrite`."""
        self.path = path
        self.serial = 0
        self._file = -1
        self._length = 0
        self._rewritten = 0
        self._sound = False

    def resume(self, serial: int, length: int) -> None:
        """Go on behind the first `length` bytes; what follows them was never acknowledged.

        Raises:
            OSError: the disk.
        """
        self.close()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        os.ftruncate(self._file, length)
        os.fsync(self._file)
        self.serial, self._length, self._rewritten, self._sound = serial, length, length, True

    @property
    def sound(self) -> bool:
        """It holds the present state and can take the next change."""
        return self._sound and os.fstat(self._file).st_nlink > 0

    @property
    def too_long(self) -> bool:
        """It should be written again."""
        return self._length > max(_LEAST_BYTES, _GROWTH * self._rewritten)

    def append(self, serial: int, digest: int, changes: list[Change]) -> None:
        """Add a change; on disk when this returns.

        Raises:
            OSError: the disk; the file is as it was before.
        """
        line = _line(_entry(serial, digest, changes))
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(self._file, line[written:], self._length + written)
            os.fsync(self._file)
        except OSError:
            self._cut()
            raise
        self._length += len(line)
        self.serial = serial

    def undo(self, serial: int, length: int) -> None:
        """Take the last line back: what it says was refused in the end."""
        self.serial, self._length = serial, length
        self._cut()

    @property
    def length(self) -> int:
        """Bytes."""
        return self._length

    def _cut(self) -> None:
        try:
            os.ftruncate(self._file, self._length)  # needs no room
            os.fsync(self._file)
        except OSError:
            self._sound = False

    def rewrite(self, serial: int, digest: int, state: Iterable[Change]) -> None:
        """Write the whole state as one line into a new file that then takes the old one's place.

        Raises:
            OSError: the disk; the old file is intact.
        """
        line = _line(_entry(serial, digest, list(state)))
        temporary = self.path.with_suffix(".journal.new")
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                written = 0
                while written < len(line):
                    written += os.pwrite(file, line[written:], written)
                os.fsync(file)
                temporary.replace(self.path)
                sync_folder(self.path.parent)
            except BaseException:
                os.close(file)
                raise
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self.close()
        self._file, self._length, self._rewritten, self._sound = file, len(line), len(line), True
        self.serial = serial

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._sound = -1, False


def _entry(serial: int, digest: int, changes: list[Change]) -> Entry:
    return Entry(schema=SCHEMA_VERSION, serial=serial, digest=f"{digest:016x}", changes=changes)


def read_journal(path: Path) -> tuple[State, int]:
    """The state that a journal holds, and how many of its bytes say so.

    A last line that ends too early was being written when the agent ended: nobody was told of it, and it counts not.

    Raises:
        DamagedError: a line is not what was written.
        StateNewerError: a newer version wrote it.
        OSError: it cannot be read.
    """
    state, length = State(), 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                _follow(state, _entry_in(line, path), first=not length)
            except DamagedError as error:
                seen = max([state.serial, *(_serial_in(other, path) for other in file)])
                raise DamagedError(f"the line behind byte {length} {error}", seen) from None
            length += len(line)
    if not length:
        raise DamagedError("it has no whole line")
    return state, length


def _entry_in(line: bytes, path: Path) -> Entry:
    body = line[_SUM_CHARACTERS + 1 : -1]
    if line != _sum(body) + b" " + body + b"\n":
        raise DamagedError("does not match its checksum")
    try:
        entry = msgspec.json.decode(body, type=Entry)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise DamagedError(f"cannot be read: {error}") from None
    if entry.schema > SCHEMA_VERSION:
        raise newer(path, entry.schema, SCHEMA_VERSION)
    return entry


def _serial_in(line: bytes, path: Path) -> int:
    try:
        return _entry_in(line, path).serial
    except DamagedError:
        return 0


def _follow(state: State, entry: Entry, *, first: bool) -> None:
    if entry.schema != SCHEMA_VERSION or not (first or entry.serial == state.serial + 1):
        raise DamagedError("is not the next one")
    for change in entry.changes:
        state.apply(change)
    state.serial = entry.serial
    if entry.digest != f"{state.digest:016x}":
        raise DamagedError("does not lead to its state")


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
