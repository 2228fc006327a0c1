"""One gateway takes another's place on the same sockets: the old one starts it, tells it what holds, and retires."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from quantdeck_core.errors import QuantdeckError
from quantdeck_gateway.channel import Answering, Channel, open_channel
from quantdeck_gateway.messages import Done, Failed, Inherit, Message

INHERIT = "--inherit"
START_S = 10.0
_WORDS_BYTES = 65_536
"""What a pipe holds."""
_POLL_S = 0.01

log = logging.getLogger("quantdeck.gateway")


class UpgradeFailedError(QuantdeckError):
    """The successor did not come up; the old gateway goes on."""

    code = "gateway-upgrade-failed"
    title = "Gateway upgrade failed"
    http_status = 500


class Successor:
    """The gateway that is to take over, seen from the old one.

    Args:
        answer: what it asks once it serves.
    """

    _channel: Channel

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Answering) -> None:
        self._loop, self._answer = loop, answer
        self._process: subprocess.Popen[bytes] | None = None
        self.gone = asyncio.Event()

    async def start(self, python: str, argv: Sequence[str], inherit: Inherit) -> int:
        """Start it with this gateway's arguments; returns its process id when it serves.

        Raises:
            UpgradeFailedError: it did not; with its last words. Nothing of it is left.
        """
        ours, theirs = socket.socketpair()
        words, told = os.pipe()  # its stderr until it serves
        command = [python, "-m", "quantdeck_gateway", *argv, INHERIT, str(theirs.fileno())]
        with theirs, os.fdopen(words, "rb", 0) as heard, os.fdopen(os.dup(inherit.log), "wb") as log_copy:
            passed = (theirs.fileno(), log_copy.fileno(), *inherit.listeners)
            try:
                self._process = process = _spawn(command, told, passed)
            except OSError as error:
                ours.close()
                raise UpgradeFailedError(f"Cannot start {python}: {error.strerror}.", "Name another Python.") from None
            finally:
                os.close(told)
            theirs.close()
            self._channel = await open_channel(self._loop, ours, self._answer, self.gone.set)
            asked = self._channel.ask(msgspec.structs.replace(inherit, log=log_copy.fileno()))
            done, _ = await asyncio.wait({asked}, timeout=START_S)
            answer = asked.result() if done else Failed(f"it did not serve within {START_S:g} s")
            if isinstance(answer, Done):
                self._process = None
                return process.pid
            self._channel.close()
            await _end(process)
            self._process = None
            last = _last_words(heard.fileno())
        why = answer.detail if isinstance(answer, Failed) else "it said something else"
        raise UpgradeFailedError(
            f"The new gateway did not come up: {last or why}.", "The old one goes on; its log may say more."
        )

    def abandon(self) -> None:
        """End it, unless it serves: this gateway was told to end before it could take over."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _spawn(command: list[str], stderr: int, passed: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, pass_fds=passed, start_new_session=True)


async def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    while process.poll() is None:
        await asyncio.sleep(_POLL_S)


def _last_words(descriptor: int) -> str:
    """The last line in which a process that has ended says what went wrong. All of it goes to the log."""
    text = os.read(descriptor, _WORDS_BYTES).decode("utf-8", "replace")
    sys.stderr.write(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1].rstrip(".")


class Predecessor:
    """The gateway whose place this one takes, seen from the new one.

    Attributes:
        inherit: what it leaves.
    """

    channel: Channel

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._inherited: asyncio.Future[Inherit] = loop.create_future()
        self._result: asyncio.Future[Message] = loop.create_future()
        self._gone = asyncio.Event()
        self._loop = loop

    async def meet(self, descriptor: int) -> Inherit:
        """What it leaves; from here on this process writes to its log."""
        end = socket.socket(fileno=descriptor)
        self.channel = await open_channel(self._loop, end, self._answer, self._gone.set)
        inherit = await self._inherited
        os.dup2(inherit.log, sys.stderr.fileno())
        os.close(inherit.log)
        return inherit

    def _answer(self, message: Message) -> Message | asyncio.Future[Message]:
        if isinstance(message, Inherit) and not self._inherited.done():
            self._inherited.set_result(message)
            return self._result
        return Failed("a successor does not do that")

    async def told(self, result: Message) -> None:
        """Say whether this process serves now."""
        self._result.set_result(result)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # sent, before anything else is

    def kill(self) -> None:
        """It does not do what it should."""
        if not self.channel.closed and self._inherited.done():
            with suppress(ProcessLookupError):
                os.kill(self._inherited.result().pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Return when it is no more."""
        await self._gone.wait()
