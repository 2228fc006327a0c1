"""Writes a recording: whoever receives something never waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from quantdeck_console.recording.records import FORMAT, End, Header, Lost, Record, RecordingError, zone_of
from quantdeck_core.errors import QuantdeckError

FLUSH_S = 1.0
MOST_WAITING = 16 << 20
"""Bytes; what comes while so many wait for the disk is counted instead."""
_SOON = 1 << 20
"""Bytes that are not kept waiting for the second to end."""
_PIECE_BYTES, _PIECE_S = 512 << 10, 60.0
"""A compressed file is made of pieces that can be read by themselves: before compression, and in time."""


class RecordingStoppedError(QuantdeckError):
    """What comes from now on is not recorded."""

    code = "recording-stopped"
    title = "Recording has stopped"


class Recorder:
    """One file. `put` takes a record, `run` writes what was put, `close` the rest."""

    def __init__(self, path: Path, hosts: Iterable[str], clock: Callable[[], float] = time.time) -> None:
        """Begin a file; a name that ends in `.gz` makes it a compressed one.

        Raises:
            RecordingError: there is such a file already, or it cannot be made.
        """
        from importlib.metadata import version  # takes as long to import as all the rest

        self.path = path
        self.clock = clock
        now = clock()
        header = Header(
            quantdeck_recording=FORMAT, version=version("quantdeck"), at=now, zone=zone_of(now), hosts=tuple(hosts)
        )
        self._waiting: list[bytes] = [msgspec.json.encode(header) + b"\n"]
        self._size = 0
        self._lost = 0
        self._stopped = False
        self._putting, self._writing = threading.Lock(), threading.Lock()
        self._soon = asyncio.Event()
        self._encoder = msgspec.json.Encoder()
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._pieces = _Gzip(self._file) if path.suffix == ".gz" else _Plain(self._file)
            self._pieces.write(self._taken(), now)
        except FileExistsError:
            raise RecordingError(f"{path} is there already.", "Give another name: nothing is overwritten.") from None
        except OSError as error:
            raise RecordingError(f"Cannot write {path}: {error}.", "Give another name.") from None

    def put(self, record: Record) -> None:
        """Take a record; it is in the file a second later."""
        if self._stopped:
            return
        records = [Lost(t=record.t, records=self._lost), record] if self._lost else [record]
        try:
            lines = b"".join(self._encoder.encode(one) + b"\n" for one in records)
        except (msgspec.MsgspecError, ValueError):  # half a surrogate pair, from the text of an error
            lines = b""
        with self._putting:
            if not lines or self._size + len(lines) > MOST_WAITING:
                self._lost += 1
                return
            self._lost = 0
            self._waiting.append(lines)
            self._size += len(lines)
        if self._size > _SOON:
            self._soon.set()

    async def run(self) -> None:
        """Write what was put, until cancelled.

        Raises:
            RecordingStoppedError: the disk took no more; what it has can be played.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._soon.wait()
            self._soon.clear()
            if self._waiting:
                await asyncio.to_thread(self.flush)

    def close(self) -> None:
        """Write the rest."""
        self.put(End(t=self.clock()))
        with contextlib.suppress(RecordingStoppedError):
            self.flush(last=True)
        os.close(self._file)

    def flush(self, *, last: bool = False) -> None:
        """Write what was put until now; from any thread.

        Raises:
            RecordingStoppedError: as `run`.
        """
        with self._writing:
            if self._stopped:
                return
            try:
                self._pieces.write(self._taken(), self.clock(), last=last)
            except OSError as error:
                self._stopped = True
                raise RecordingStoppedError(
                    f"{error.strerror}, for {self.path}.", "What is in it already can be played."
                ) from None

    def _taken(self) -> bytes:
        with self._putting:
            lines, self._waiting, self._size = self._waiting, [], 0
        return b"".join(lines)


class _Plain:
    """Lines as they are."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._good = 0

    def write(self, data: bytes, now: float, *, last: bool = False) -> None:
        """Write all of it, or end the file before it."""
        del now, last
        _write_all(self._file, data, self._good)
        self._good += len(data)


class _Gzip:
    """Members of a gzip file, begun anew now and then; every write can be read at once."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._good = 0
        self._began = 0.0
        self._bytes = 0
        self._member: zlib._Compress | None = None

    def write(self, data: bytes, now: float, *, last: bool = False) -> None:
        """Write all of it, or end the file before it."""
        packed = b""
        if self._member and (self._bytes > _PIECE_BYTES or not 0 <= now - self._began < _PIECE_S):
            packed, self._member = self._member.flush(), None
        if self._member is None:
            self._member, self._began, self._bytes = zlib.compressobj(6, zlib.DEFLATED, 31), now, 0
        self._bytes += len(data)
        packed += self._member.compress(data) + self._member.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        _write_all(self._file, packed, self._good)
        self._good += len(packed)


def _write_all(file: int, data: bytes, good: int) -> None:
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file, good)
        raise
