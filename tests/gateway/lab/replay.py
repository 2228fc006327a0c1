"""An engine that says exactly what the test tells it, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Replica


@dataclass
class Replay:
    """Answers each request with the same pieces, one write each.

    Attributes:
        pieces: bytes of the answer; framing is the test's business.
        gates: piece number -> what must be set before it is written.
        close: whether it closes after the last piece.
        pause_s: after each piece; with one, the gateway reads the pieces one by one.
        seen: heads of the requests that reached it.
    """

    pieces: list[bytes] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    close: bool = False
    pause_s: float = 0.0
    seen: list[bytes] = field(default_factory=list)
    written: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def say(self, *pieces: bytes, close: bool = False) -> None:
        """What it answers from now on."""
        self.pieces, self.gates, self.close, self.seen, self.written = list(pieces), {}, close, [], 0
        self.pause_s = 0.0

    def route(self, name: str) -> ExperimentRoute:
        """Everybody to this engine."""
        control = Arm(replicas=(Replica(name="replay", url=f"http://127.0.0.1:{self.port}"),))
        return ExperimentRoute(name=name, served_name=name, control=control, treatment=Arm())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: ([0-9]+)\r\n", head.lower())
                assert length
                await reader.readexactly(int(length[1]))
                self.seen.append(head)
                for number, piece in enumerate(self.pieces):
                    if number in self.gates:
                        await self.gates[number].wait()
                    writer.write(piece)
                    await writer.drain()
                    self.written += len(piece)
                    await asyncio.sleep(self.pause_s)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the gateway closed, or the test is over
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()


@contextlib.asynccontextmanager
async def replay(pieces: Iterable[bytes] = ()) -> AsyncIterator[Replay]:
    """A listening one."""
    one = Replay(list(pieces))
    server = await asyncio.start_server(one._serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in list(one._tasks):
            task.cancel()
        await asyncio.gather(*one._tasks, return_exceptions=True)
