"""Hands finished answers to the analyser: batched, bounded, never waiting."""

from __future__ import annotations

import asyncio
from typing import Protocol

from quantdeck_gateway.handover import FinishedAnswer, encode_batch
from quantdeck_gateway.limits import TEE_BYTES

BATCH_S = 0.02
_ANSWER_BYTES = 300
"""What an answer costs besides its text."""


class Outlet(Protocol):
    """The way to the analyser."""

    def ready(self) -> bool:
        """Whether the last batch has left, so that the next may be written."""

    def write(self, data: bytes) -> None:
        """Send a batch."""


class Tee:
    """Collects answers and writes them out every 20 ms.

    Attributes:
        dropped: answers that were not handed over because the analyser was behind or died.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, outlet: Outlet, limit: int = TEE_BYTES) -> None:
        self.dropped = 0
        self._loop, self._outlet, self._limit = loop, outlet, limit
        self._waiting: list[FinishedAnswer] = []
        self._waiting_bytes = 0
        self._leaving = 0
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, answer: FinishedAnswer) -> None:
        """Take an answer, or drop and count it."""
        size = len(answer.body) + _ANSWER_BYTES
        if self._waiting_bytes + size > self._limit:
            self.dropped += 1
            return
        self._waiting.append(answer)
        self._waiting_bytes += size
        if self._timer is None:
            self._timer = self._loop.call_later(BATCH_S, self.flush)

    def flush(self) -> None:
        """Write what waits, if the analyser has taken what came before."""
        self._timer = None
        if not self._waiting:
            return
        if not self._outlet.ready():
            self._timer = self._loop.call_later(BATCH_S, self.flush)
            return
        batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._leaving = len(batch)
        self._outlet.write(encode_batch(batch))

    def lost(self) -> None:
        """The analyser died before it had read all of the last batch."""
        self.dropped += self._leaving
        self._leaving = 0
