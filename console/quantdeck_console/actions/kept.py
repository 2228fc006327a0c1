"""Wishes of one rollback on their way to the disk and off it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.rollout.wish import Wish


class Kept:
    """What is not acknowledged is in the file, so that it outlives the console however that ends.

    A slow disk holds up neither keys nor requests: it is written beside them, one write at a time.

    Attributes:
        problem: why the file does not have it; empty where it does.
    """

    def __init__(self, file: PendingFile | None) -> None:
        self.problem = ""
        self._file = file
        self._open: dict[str, Wish] = {}
        self._stored: dict[str, Wish] = {}
        self._writing: asyncio.Task[None] | None = None

    def put(self, wishes: Iterable[Wish]) -> None:
        """These are open."""
        self._open = {wish.host: wish for wish in wishes}
        self.write()

    def settle(self, host: str) -> None:
        """The host's agent has answered."""
        self._open.pop(host, None)
        self.write()

    def write(self) -> None:
        """Begin to write what is not on the disk yet; again where that failed."""
        if self._file and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write(self._file))

    async def written(self) -> None:
        """Wait for the disk."""
        if self._writing:
            await self._writing

    async def _write(self, file: PendingFile) -> None:
        while self._open != self._stored:
            wanted = dict(self._open)
            add = [wish for host, wish in wanted.items() if host not in self._stored]
            drop = [wish for host, wish in self._stored.items() if host not in wanted]
            try:
                await asyncio.to_thread(file.change, add, drop)
            except PendingFileError as error:
                self.problem = f"{error.detail} {error.hint}".strip()
                return
            self.problem, self._stored = "", wanted
