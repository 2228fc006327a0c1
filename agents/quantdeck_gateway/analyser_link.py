"""Keeps an analyser process running and carries answers to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import cast

from quantdeck_gateway.handover import ReceiptReader, TokenCount

_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 5.0
_STEADY_S = 10.0
"""An analyser that lived this long may be restarted quickly again."""
_END_S = 2.0

log = logging.getLogger("quantdeck.gateway")


class AnalyserLink(asyncio.Protocol):
    """The gateway's end of the socket pair; starts the analyser again when it ends.

    Args:
        signals: the listening socket where the analyser serves signals; kept open here, so that whoever connects while
            the analyser restarts only waits.
        on_loss: called when a batch was on its way as the analyser died.
        on_tokens: called with what the analyser counted.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        signals: socket.socket,
        on_loss: Callable[[], None],
        on_tokens: Callable[[TokenCount], None],
    ) -> None:
        self._loop, self._signals, self._on_loss, self._on_tokens = loop, signals, on_loss, on_tokens
        self._receipts = ReceiptReader()
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._retry_s = _RETRY_FIRST_S
        self._started = 0.0
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The analyser's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the analyser."""
        task = self._loop.create_task(self._start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = _spawn(theirs, self._signals)
        except OSError as error:
            ours.close()
            log.error("cannot start the analyser: %s", error.strerror)
            self._again()
            return
        finally:
            theirs.close()
        self._started = self._loop.time()
        await self._loop.create_unix_connection(lambda: self, sock=ours)

    def ready(self) -> bool:
        """Whether the last batch has left."""
        return self._transport is not None and not self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Send a batch; `ready` was asked before."""
        if self._transport is not None:
            self._transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport, self._receipts = cast("asyncio.Transport", transport), ReceiptReader()

    def data_received(self, data: bytes) -> None:
        """Receipts for batches."""
        for receipt in self._receipts.feed(data):
            for count in receipt:
                self._on_tokens(count)

    def connection_lost(self, exc: Exception | None) -> None:
        """The analyser ended."""
        transport, self._transport = self._transport, None
        if self._ending:
            return
        if transport is not None and transport.get_write_buffer_size():
            self._on_loss()
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # its end is closed, so it is of no more use if it should still run
            log.warning("the analyser ended (status %s); starting it again", process.wait())
        self._again()

    def _again(self) -> None:
        if self._loop.time() - self._started > _STEADY_S:
            self._retry_s = _RETRY_FIRST_S
        self._loop.call_later(self._retry_s, self.start)
        self._retry_s = min(2 * self._retry_s, _RETRY_MOST_S)

    async def stop(self) -> None:
        """Let the analyser finish what it was given, then end it."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        if self._transport is not None:
            self._transport.close()
        process = self._process
        if process is None:
            return
        deadline = self._loop.time() + _END_S
        while process.poll() is None and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        if process.poll() is None:
            process.kill()
            process.wait()


def _spawn(answers: socket.socket, signals: socket.socket) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "quantdeck_gateway.analyser", str(answers.fileno()), str(signals.fileno())]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=(answers.fileno(), signals.fileno()))
