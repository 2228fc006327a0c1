"""Keeps an analyser process running."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from typing import cast

_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 5.0
_STEADY_S = 10.0
"""An analyser that lived this long may be restarted quickly again."""
_END_S = 2.0

log = logging.getLogger("quantdeck.gateway")


class AnalyserProcess(asyncio.Protocol):
    """The analyser, held by a socket pair: each notices at once when the other ends.

    Args:
        signals: the listening socket where the analyser serves signals.
        answers: the one where workers hand it answers. Both are kept open here, so that whoever connects while the
            analyser restarts only waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, signals: socket.socket, answers: socket.socket) -> None:
        self._loop, self._signals, self._answers = loop, signals, answers
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._retry_s = _RETRY_FIRST_S
        self._started = 0.0
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start the analyser."""
        task = self._loop.create_task(self._start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = _spawn(theirs, self._answers, self._signals)
        except OSError as error:
            ours.close()
            log.error("cannot start the analyser: %s", error.strerror)
            self._again()
            return
        finally:
            theirs.close()
        self._started = self._loop.time()
        await self._loop.create_unix_connection(lambda: self, sock=ours)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The analyser ended."""
        self._transport = None
        if self._ending:
            return
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # its end is closed, so it is of no more use if it should still run
            log.warning("the analyser ended (status %s); starting it again", process.wait())
        self._again()

    def _again(self) -> None:
        if self._ending:
            return
        if self._loop.time() - self._started > _STEADY_S:
            self._retry_s = _RETRY_FIRST_S
        self._loop.call_later(self._retry_s, self.start)
        self._retry_s = min(2 * self._retry_s, _RETRY_MOST_S)

    def retire(self) -> None:
        """Let the analyser end when the last worker has left it."""
        self._ending = True
        if self._transport is not None:
            self._transport.close()

    async def stop(self) -> None:
        """Let the analyser finish what it was given, then end it."""
        self.retire()
        for task in self._tasks:
            task.cancel()
        process = self._process
        if process is None:
            return
        deadline = self._loop.time() + _END_S
        while process.poll() is None and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        if process.poll() is None:
            process.kill()
            process.wait()


def _spawn(life: socket.socket, answers: socket.socket, signals: socket.socket) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "quantdeck_gateway.analyser", str(answers.fileno()), str(signals.fileno())]
    return subprocess.Popen(argv, stdin=life.fileno(), pass_fds=(answers.fileno(), signals.fileno()))
