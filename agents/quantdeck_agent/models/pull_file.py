"""One file of a pull: from where it stands to its end."""

from __future__ import annotations

import time
from typing import Protocol

import httpx

from quantdeck_agent.models.records import Wanted
from quantdeck_agent.models.remote import Answer, Secret, SourceError, fetch, shown
from quantdeck_agent.models.staging import SYNC_BYTES, SYNC_S

_BUFFER_BYTES = 4 << 20


class Run(Protocol):
    """What a file needs of its pull."""

    def require_room(self, count: int) -> None: ...
    def report(self, more: int, total: int | None = None) -> None: ...
    def wanted(self, part: int) -> Wanted: ...
    def synced(self, part: int) -> tuple[int, str]: ...
    async def sync(self, part: int, length: int, validator: str) -> None: ...
    async def restart(self, part: int) -> None: ...
    async def write(self, part: int, offset: int, pieces: list[bytes]) -> None: ...


class PullFile:
    """Where one file stands, and a buffer."""

    def __init__(self, run: Run, part: int) -> None:
        self._run, self._part = run, part
        self._wanted = run.wanted(part)
        self._written, self._validator = run.synced(part)
        self._shown = 0
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._bounded = self._wanted.size is not None

    async def fetch(self, http: httpx.AsyncClient, secret: Secret | None) -> None:
        """All of it is on the disk when this returns."""
        wanted = self._wanted
        self._report()
        if wanted.size is not None and self._written == wanted.size:
            if wanted.size == 0:
                await self._run.restart(self._part)
            return
        if self._written and not self._validator and wanted.sha256 is None and wanted.git_sha1 is None:
            await self._anew()  # nothing would tell whether the rest belongs to the beginning
        await fetch(http, wanted.url, self._arrived, lambda: self._validator, self._began, self._take, secret)
        await self._flush()
        if self._written == 0:
            await self._run.restart(self._part)
        await self._run.sync(self._part, self._written, self._validator)
        if wanted.size is not None and self._written != wanted.size:
            raise SourceError(
                f"{shown(wanted.url)} has {self._written} bytes, listed were {wanted.size}.", "Pull again."
            )

    def _arrived(self) -> int:
        return self._written + self._buffered

    async def _began(self, answer: Answer) -> None:
        wanted = self._wanted
        if answer.offset != self._arrived():
            await self._anew()
        if answer.size is None:
            if self._wanted.size is None:
                self._bounded = False
        elif answer.size >= 0:
            if wanted.size is not None and answer.size != wanted.size:
                raise SourceError(
                    f"{shown(wanted.url)} announces {answer.size} bytes, listed were {wanted.size}.", "Pull again."
                )
            if wanted.size is None:
                self._run.require_room(answer.size - self._arrived())
                self._run.report(0, answer.size)
                self._bounded = True
        self._validator = answer.validator

    async def _take(self, piece: bytes) -> None:
        self._buffer.append(piece)
        self._buffered += len(piece)
        wanted = self._wanted
        if wanted.size is not None and self._arrived() > wanted.size:
            raise SourceError(f"{shown(wanted.url)} sends more than {wanted.size} bytes.", "Pull again.")
        if self._buffered >= _BUFFER_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        if not self._bounded:
            self._run.require_room(self._buffered)
        pieces, self._buffer = self._buffer, []
        count, self._buffered = self._buffered, 0
        await self._run.write(self._part, self._written, pieces)
        self._written += count
        self._unsynced += count
        self._report()
        if self._unsynced >= SYNC_BYTES or time.monotonic() - self._synced_at >= SYNC_S:
            self._unsynced = 0
            self._synced_at = time.monotonic()
            await self._run.sync(self._part, self._written, self._validator)

    async def _anew(self) -> None:
        self._buffer, self._buffered, self._written, self._unsynced, self._validator = [], 0, 0, 0, ""
        await self._run.restart(self._part)
        self._report()

    def _report(self) -> None:
        self._run.report(self._written - self._shown)
        self._shown = self._written
