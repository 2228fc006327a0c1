"""The access log: one JSON object a line for each request; who asked only as a hash, and never what was said."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from quantdeck_core.errors import InputError

if TYPE_CHECKING:
    from quantdeck_gateway.arm import Arm
    from quantdeck_gateway.request import Request
    from quantdeck_gateway.routing import Placement

MOST_BYTES = 8 << 20
"""Lines that wait for the disk; what does not fit is dropped and counted."""

_LONGEST = 128
"""Of a path or a request's id, bytes."""

End = Literal["done", "broken", "cancelled", "refused"]

log = logging.getLogger("quantdeck.gateway")


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One request. What is not known, or does not apply, is left out.

    Attributes:
        t: UNIX time of its end, seconds.
        end: `done`: answered to its end; `broken`: the engine broke off, was not there or took too long; `cancelled`:
            the client left; `refused`: by the gateway, with the reason in `code`.
        user: first 16 hex digits of the split's SHA-256.
        key: name of its API key.
        status: 0 where the client left before there was one.
        bytes: of the answer's body, as the engine sent it.
        degraded: why it is not what it would have been with less to do.
    """

    t: float
    request_id: str
    path: str
    status: int
    end: End
    experiment: str = ""
    variant: str = ""
    replica: str = ""
    model: str = ""
    user: str = ""
    key: str = ""
    code: str = ""
    ttft_ms: float | None = None
    e2e_ms: float | None = None
    bytes: int = 0
    degraded: str = ""


def shown(sent: bytes) -> str:
    """What a client sent, at a length that no client chooses."""
    return sent[:_LONGEST].decode("latin-1")


class AccessLog:
    """Collects lines and writes them out when told to, in a thread, so that a slow disk stops no stream.

    The file is opened again where something else lies at its path, so that it can be rotated by renaming it.

    Attributes:
        dropped: lines that were not written because the disk was full, slow or gone.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = 0
        self._loop, self._path, self._most_bytes = loop, path, most_bytes
        self._encode = msgspec.json.Encoder().encode_into
        self._waiting = bytearray()
        self._writing: asyncio.Future[int] | None = None
        self._torn = self._complained = False
        try:
            self._file = _open(path)
        except OSError as error:
            raise InputError(f"Cannot write {path}: {error.strerror}.", "Check --access-log.") from None

    def note(self, line: Line) -> None:
        """Take a line, or drop and count it: about 1 us."""
        waiting = self._waiting
        if len(waiting) > self._most_bytes:
            self.dropped += 1
            return
        self._encode(line, waiting, -1)
        waiting += b"\n"

    def unanswered(
        self,
        request: Request,
        status: int,
        end: End,
        code: str = "",
        arm: Arm | None = None,
        placement: Placement | None = None,
    ) -> None:
        """Take the line of a request that went to no engine."""
        self.note(
            Line(
                t=round(time.time(), 3),
                request_id=shown(request.request_id),
                path=shown(request.path),
                status=status,
                end=end,
                experiment=arm.experiment if arm else "",
                variant=arm.variant if arm else "",
                model=arm.served_name if arm else "",
                user=placement.short if placement else "",
                key=request.key,
                code=code,
            )
        )

    def tick(self) -> None:
        """A second has passed: write what waits, unless the last write still goes on."""
        if self._writing is None and self._waiting:
            data = self._take()
            self._writing = self._loop.run_in_executor(None, self._write, data)
            self._writing.add_done_callback(self._written)

    async def stop(self) -> None:
        """Write the rest and close the file."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._waiting:
            self.dropped += await self._loop.run_in_executor(None, self._write, self._take())
        os.close(self._file)

    def _take(self) -> bytearray:
        data, self._waiting = self._waiting, bytearray()
        return data

    def _written(self, lost: asyncio.Future[int]) -> None:
        self._writing = None
        self.dropped += lost.result()

    def _write(self, data: bytearray) -> int:
        """In a thread. Returns the lines that were lost."""
        if self._torn:
            data = bytearray(b"\n") + data  # so that the rest of a line that was cut spoils no other
        try:
            self._reopen_if_moved()
            written = os.write(self._file, data)
        except OSError as error:
            self._complain(error.strerror or str(error))
            return data.count(b"\n") - self._torn
        lost = data.count(b"\n", written)
        self._torn = data[written - 1 : written] != b"\n"
        if lost:
            self._complain("not all of it was taken")
        else:
            self._complained = False
        return lost

    def _reopen_if_moved(self) -> None:
        ours = os.fstat(self._file)
        try:
            there = self._path.stat()
            moved = (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            moved = True
        if moved:
            file = _open(self._path)
            os.close(self._file)
            self._file, self._torn = file, False

    def _complain(self, reason: str) -> None:
        if not self._complained:
            log.warning("cannot write %s: %s; lines are dropped and counted", self._path, reason)
        self._complained = True


def _open(path: Path) -> int:
    """For appending only: processes that write the same file do not overwrite each other's lines."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
