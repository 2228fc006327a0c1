"""An engine with a known capacity, and clients who do not wait for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field

from gateway.lab.client import Connection
from support.waiting import eventually


@dataclass
class SlotEngine:
    """Works on so many requests at once, each for so long; more wait in it, without a bound, as in real ones.

    Attributes:
        most_waiting: requests that ever waited in it at once.
        bodies: what it was asked.
        has_metrics: whether it tells them.
    """

    slots: int
    seconds: float
    has_metrics: bool = True
    running: int = 0
    most_waiting: int = 0
    bodies: list[bytes] = field(default_factory=list)
    waiting: deque[asyncio.Event] = field(default_factory=deque)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await eventually(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if head.startswith("get /metrics"):
                    self._tell(writer)
                    return
                body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                self.bodies.append(body)
                await self._work()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _work(self) -> None:
        if self.running >= self.slots:
            turn = asyncio.Event()
            self.waiting.append(turn)
            self.most_waiting = max(self.most_waiting, len(self.waiting))
            await turn.wait()
        else:
            self.running += 1
        await asyncio.sleep(self.seconds)
        if self.waiting:
            self.waiting.popleft().set()
        else:
            self.running -= 1

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        if not self.has_metrics:
            writer.write(b"HTTP/1.0 404 Not Found\r\n\r\n")
            return
        page = 'vllm:num_requests_running{engine="0"} %d\nvllm:num_requests_waiting{engine="0"} %d\n'
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (page % (self.running, len(self.waiting))).encode())


@dataclass
class Outcome:
    """One request: when it was sent and answered, with what."""

    sent: float
    took: float
    status: int
    retry_after: str | None
    degraded: str | None
    variant: str | None


@dataclass
class Crowd:
    """Clients who come at a rate, whatever becomes of those before them."""

    port: int
    priority: str = "normal"
    prompt: str = "x" * 16_384
    user: str = "u"
    outcomes: list[Outcome] = field(default_factory=list)
    _idle: list[Connection] = field(default_factory=list)

    async def come(self, per_second: float, seconds: float) -> list[Outcome]:
        """Ask at an even pace, wait for all answers, and return them."""
        self.outcomes = []
        async with asyncio.TaskGroup() as group:
            began = time.perf_counter()
            for number in range(int(per_second * seconds)):
                ahead = began + number / per_second - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                group.create_task(self.ask())
        return self.outcomes

    async def stay(self, clients: int, seconds: float) -> list[Outcome]:
        """Ask with so many clients at once, each as soon as it is answered."""
        self.outcomes = []
        end = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < end:
                await self.ask()

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(one())
        return self.outcomes

    async def ask(self) -> None:
        body = json.dumps({"model": "m", "prompt": self.prompt}).encode()
        headers = {"x-user-id": self.user, "x-quantdeck-priority": self.priority}
        sent = time.perf_counter()
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        reply = await connection.ask("POST", "/v1/completions", body, headers)
        self._idle.append(connection)
        told = (reply.headers.get(f"{name}") for name in ("retry-after", "x-quantdeck-degraded", "x-quantdeck-variant"))
        self.outcomes.append(Outcome(sent, time.perf_counter() - sent, reply.status, *told))

    async def leave(self) -> None:
        for connection in self._idle:
            await connection.close()
        self._idle.clear()


def goodput(outcomes: list[Outcome], since: float = 0.0) -> float:
    """Answers a second, from so many seconds after the first request until the last one was sent."""
    began = min(one.sent for one in outcomes) + since
    end = max(one.sent for one in outcomes)
    return sum(one.status == 200 and began <= one.sent + one.took <= end for one in outcomes) / (end - began)


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
