"""A fleet's wire in memory, for screens: the real one is tested elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import msgspec

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.link.interface import Listener
from quantdeck_core.errors import ErrorInfo, QuantdeckError, RemoteError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event, Snapshot
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Applied
from support.fleets import NOW

T = TypeVar("T")


class Clock:
    """Time that moves only when told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Answer = msgspec.Struct | QuantdeckError


class FakeLink:
    """A fleet's wire in memory: it says `statuses` at once, records every change, and answers as told.

    Attributes:
        asked: host, experiment (or the path, where it names none) and message of every change, in order.
        answers: what to answer to changes by host, used up one by one; the last one stays.
        pages: what to answer by host and path, to what is read and to changes that have an answer of their own.
        streams: lines of logs by host and path without its query.
        feeds: what comes after those of `streams` to whoever follows; an error breaks the link.
        gate: changes wait here, so that a test can look at what is shown meanwhile; `held` are paths of reads that do.
    """

    def __init__(self, *statuses: HostStatus, hosts: Sequence[str] = (), role: str = "operator") -> None:
        self.hosts = tuple(hosts) or tuple(status.name for status in statuses)
        self.role = role
        self.statuses = statuses
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: dict[str, list[Answer]] = {}
        self.pages: dict[tuple[str, str], Answer] = {}
        self.streams: dict[tuple[str, str], list[msgspec.Struct]] = {}
        self.feeds: dict[tuple[str, str], asyncio.Queue[Answer]] = {}
        self.held: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self._listener: Listener | None = None

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        for status in self.statuses:
            self.say(status.name, LinkChange(state="connected", role=self.role))
            self.say(status.name, Snapshot(revision=1, status=status))
        await asyncio.Event().wait()

    def say(self, host: str, update: Event | LinkChange) -> None:
        """Let a host say something."""
        assert self._listener is not None
        self._listener(host, update)

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        client = FakeClient(self, host)
        try:
            return await call(client)
        finally:
            await client.close()


class FakeClient(DeckClient):
    """The typed calls of one host, answered by a `FakeLink`; what they send is what would go over the wire."""

    def __init__(self, link: FakeLink, host: str) -> None:
        super().__init__(host, httpx.MockTransport(lambda _: httpx.Response(500)))
        self._link, self._name = link, host

    async def _call(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[Any], deadline_s: float = 0.0
    ) -> Any:
        page = self._link.pages.get((self._name, path))
        if method == "POST":
            parts = path.split("/")
            about = parts[3] if path.startswith("/v1/experiments/") else path
            self._link.asked.append((self._name, about, body))
            await self._link.gate.wait()
            queue = self._link.answers.get(self._name)
            if page is None or queue:
                queue = queue or [Applied(revision=4, effective_ms=6.2)]
                page = queue.pop(0) if len(queue) > 1 else queue[0]
        elif path in self._link.held:
            await self._link.gate.wait()
        if page is None:
            raise RemoteError(ErrorInfo(code="not-found", title="Not found", detail=f"{path} is not there."), 404)
        if isinstance(page, QuantdeckError):
            raise page
        return msgspec.json.decode(msgspec.json.encode(page), type=kind)

    async def lines(self, path: str, timeout: httpx.Timeout) -> AsyncIterator[bytes]:
        for one in self._link.streams.get((self._name, path.partition("?")[0]), ()):
            yield msgspec.json.encode(one)
        feed = self._link.feeds.setdefault((self._name, path.partition("?")[0]), asyncio.Queue())
        while "follow=1" in path:
            came = await feed.get()
            if isinstance(came, QuantdeckError):
                raise came
            yield msgspec.json.encode(came)
