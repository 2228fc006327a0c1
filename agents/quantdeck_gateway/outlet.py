"""A worker's way to the analyser: connected by path, connected again where the analyser is started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from quantdeck_gateway.handover import ReceiptReader, TokenCount

_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 1.0
_POLL_S = 0.01
_AHEAD = 8
"""Batches that may be on their way: a sixth of a second."""


class AnalyserOutlet(asyncio.Protocol):
    """Carries batches; the analyser answers each with a receipt when it has read it.

    So it is known what was lost when the analyser dies, and one that is behind is not sent more.

    Args:
        on_read: called with the receipt for a batch, in their order.
        on_loss: called when the connection broke; what was not read is lost.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        on_read: Callable[[list[TokenCount]], None],
        on_loss: Callable[[], None],
    ) -> None:
        self._loop, self._path, self._on_read, self._on_loss = loop, path, on_read, on_loss
        self._transport: asyncio.Transport | None = None
        self._receipts = ReceiptReader()
        self._unread = 0
        self._moving = self._ending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and go on trying until it works."""
        self._task = self._loop.create_task(self._connect())

    def ready(self) -> bool:
        """Whether the analyser keeps up."""
        return self._transport is not None and self._unread < _AHEAD

    def write(self, data: bytes) -> None:
        """Send a batch; `ready` was asked before."""
        if self._transport is not None:
            self._unread += 1
            self._transport.write(data)

    def move(self) -> None:
        """Another analyser listens at the path: go there once this one has read what it was sent."""
        self._moving = True
        self._leave_if_read()

    async def stop(self, deadline_s: float) -> None:
        """Wait until what was written has been read, up to a deadline, and end the connection."""
        end = self._loop.time() + deadline_s
        while self._unread and self._loop.time() < end:
            await asyncio.sleep(_POLL_S)
        self._ending = True
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.close()

    async def _connect(self) -> None:
        retry_s = _RETRY_FIRST_S
        while not self._ending:
            try:
                await self._loop.create_unix_connection(lambda: self, str(self._path))
                return
            except OSError:
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, _RETRY_MOST_S)

    def _leave_if_read(self) -> None:
        if self._moving and not self._unread and self._transport is not None:
            self._moving = False
            transport, self._transport = self._transport, None
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport, self._receipts = cast("asyncio.Transport", transport), ReceiptReader()

    def data_received(self, data: bytes) -> None:
        """Receipts."""
        for receipt in self._receipts.feed(data):
            self._unread -= 1
            self._on_read(receipt)
        self._leave_if_read()

    def connection_lost(self, exc: Exception | None) -> None:
        """The analyser ended, or was left."""
        self._transport, self._moving = None, False
        if self._unread:
            self._unread = 0
            self._on_loss()
        if not self._ending:
            self.start()
