"""The leader's hold on one other worker: started, told, and started again when it dies."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable

from quantdeck_gateway.channel import Channel, open_channel
from quantdeck_gateway.door import Door
from quantdeck_gateway.messages import AskMetrics, Begin, Done, Failed, Hello, Message, Metrics

_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 5.0
_STEADY_S = 10.0
"""A worker that lived this long may be restarted quickly again."""
_POLL_S = 0.01

log = logging.getLogger("quantdeck.gateway")


class WorkerProcess:
    """A worker and its listening socket, from which the leader serves while there is no worker.

    Args:
        begin: what to tell it when it has come up.
        metrics: of the whole gateway, when it is asked for them.

    Attributes:
        channel: to the worker; None while there is none that has begun.
        up: set when its loop runs.
        serves: set when it lets clients in.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        listener: socket.socket,
        door: Door,
        begin: Callable[[int], Begin],
        metrics: Callable[[], Awaitable[str]],
    ) -> None:
        self.number = number
        self.channel: Channel | None = None
        self.up, self.serves = asyncio.Event(), asyncio.Event()
        self._loop, self._listener, self._door, self._begin, self._metrics = loop, listener, door, begin, metrics
        self._process: subprocess.Popen[bytes] | None = None
        self._opened: Channel | None = None
        self._retry_s = _RETRY_FIRST_S
        self._started = 0.0
        self._may_begin = self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Of the process while there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process; `serves` says when it has come up."""
        ours, theirs = socket.socketpair()
        fds = (self._listener.fileno(), theirs.fileno())
        argv = [sys.executable, "-m", "quantdeck_gateway.worker", *map(str, fds)]
        self._started = self._loop.time()
        try:
            self._process = _spawn(argv, fds)
        except OSError as error:
            ours.close()
            log.error("cannot start worker %d: %s", self.number, error.strerror)
            self._again()
            return
        finally:
            theirs.close()
        self._opened = await open_channel(self._loop, ours, self._answer, self._lost)

    def _answer(self, message: Message) -> Message | Awaitable[Message]:
        if isinstance(message, Hello):
            self.up.set()
            if self._may_begin:
                self._tell_to_begin()
            return Done()
        if isinstance(message, AskMetrics):
            return self._whole_metrics()
        return Failed(detail="a leader does not do that")

    async def _whole_metrics(self) -> Message:
        return Metrics(await self._metrics())

    def begin(self) -> None:
        """Let it serve as soon as it is up, and every one that comes after it."""
        self._may_begin = True
        if self.up.is_set():
            self._tell_to_begin()

    def _tell_to_begin(self) -> None:
        self.channel = self._opened
        if self.channel is not None:
            self._spawn(self._until_serves(self.channel.ask(self._begin(self.number))))

    async def _until_serves(self, begun: asyncio.Future[Message]) -> None:
        if isinstance(await begun, Done):
            self._door.close(self._listener)
            self.serves.set()

    def kill(self) -> None:
        """It does not do what it should; another takes its place."""
        if self._process is not None:
            self._process.kill()

    async def replace(self) -> None:
        """The same; when this returns it does nothing any more."""
        process = self._process
        self.kill()
        while process is not None and process.poll() is None:
            await asyncio.sleep(_POLL_S)

    def _lost(self) -> None:
        """Its end of the channel is closed: it is dead, or of no more use."""
        self.channel = self._opened = None
        self.up.clear()
        self.serves.clear()
        if self._process is not None:
            if not self._ending:
                self._process.kill()
            self._spawn(self._bury(self._process))

    async def _bury(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            await asyncio.sleep(_POLL_S)
        self._process = None
        if self._ending:
            return
        log.warning("worker %d ended (status %s); starting it again", self.number, process.returncode)
        await self._door.open(self._listener)  # nobody waits while it comes up
        self._again()

    def _again(self) -> None:
        if self._loop.time() - self._started > _STEADY_S:
            self._retry_s = _RETRY_FIRST_S
        self._spawn(self._start_after(self._retry_s))
        self._retry_s = min(2 * self._retry_s, _RETRY_MOST_S)

    async def _start_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self._ending:
            await self.start()

    def let_go(self) -> None:
        """It was told to end, and is not started again; nobody waits for it to come up."""
        self._ending = True
        self.up.set()
        self.serves.set()

    async def ended(self) -> None:
        """Return when the process is no more."""
        while self._process is not None:
            await asyncio.sleep(_POLL_S)

    def _spawn(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _spawn(argv: list[str], fds: tuple[int, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=fds)
