"""A fleet that is connected as before, with a recorder that hears all that is heard."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import unquote

import httpx
import msgspec

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.link.interface import FleetLink, Listener
from quantdeck_console.recording.kept import about, kept
from quantdeck_console.recording.recorder import Recorder
from quantdeck_console.recording.records import Answered, EventHeard, LinkHeard, LogHeard
from quantdeck_core.errors import QuantdeckError, RemoteError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event
from quantdeck_core.protocol.logs import LogLine

T = TypeVar("T")

_REMEMBERED = 1_000
"""Questions whose last answer is known, so that the same one is written once."""


class RecordingLink:
    """A `FleetLink` around another one."""

    def __init__(self, link: FleetLink, recorder: Recorder) -> None:
        self._link = link
        self._recorder = recorder
        self._last: dict[tuple[str, str, str], bytes] = {}
        self._now = 0.0

    @property
    def hosts(self) -> tuple[str, ...]:
        """As of the other link."""
        return self._link.hosts

    async def run(self, listener: Listener) -> None:
        """Write down what comes, then pass it on."""
        recorder = self._recorder

        def heard(host: str, update: Event | LinkChange) -> None:
            if isinstance(update, LinkChange):
                recorder.put(LinkHeard(t=self.now(), host=host, link=update))
            else:
                recorder.put(EventHeard(t=self.now(), host=host, event=update))
            listener(host, update)

        await self._link.run(heard)

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        """Ask, and write down what was answered."""
        return await self._link.ask(host, lambda client: call(_RecordingClient(client, host, self)))

    def now(self) -> float:
        """Never earlier than before; to the millisecond, since more digits would be a third of a small record."""
        self._now = max(self._now, round(self._recorder.clock(), 3))
        return self._now

    def answered(self, host: str, method: str, path: str, body: msgspec.Struct | None, answer: object) -> None:
        """Write down an answer, or only that it is the one of before."""
        asked, of = f"{method} {path}", about(path, body)
        t = self.now()
        if isinstance(answer, QuantdeckError):
            self._last.pop((host, asked, of), None)
            status = answer.status if isinstance(answer, RemoteError) else answer.http_status
            self._recorder.put(Answered(t=t, host=host, asked=asked, about=of, error=answer.info(), status=status))
            return
        told = kept(method, answer)
        if told is None:
            self._recorder.put(Answered(t=t, host=host, asked=asked, withheld=True))
            return
        encoded = msgspec.json.encode(told)
        digest = hashlib.sha256(encoded).digest()
        same = self._last.pop((host, asked, of), None) == digest
        self._last[host, asked, of] = digest
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]
        answered = Answered(t=t, host=host, asked=asked, about=of, same=same)
        if not same:
            answered = msgspec.structs.replace(answered, answer=msgspec.Raw(encoded))
        self._recorder.put(answered)

    def logged(self, host: str, source: str, line: bytes) -> None:
        """Write down a line of a log, but not that it is alive."""
        try:
            told = msgspec.json.decode(line, type=LogLine)
        except msgspec.MsgspecError:
            return  # whoever asked says so
        if told != LogLine(source=told.source, t=told.t, old=told.old):
            self._recorder.put(LogHeard(t=self.now(), host=host, source=source, line=told))

    def log_read(self, host: str, source: str, *, opened: bool) -> None:
        """Write down that somebody begins or ends to read a log."""
        self._recorder.put(LogHeard(t=self.now(), host=host, source=source, state="opened" if opened else "closed"))


class _RecordingClient(DeckClient):
    """Asks through another client."""

    def __init__(self, client: DeckClient, host: str, link: RecordingLink) -> None:
        super().__init__(host, httpx.AsyncBaseTransport())  # nothing goes through it
        self._client, self._name, self._link = client, host, link

    async def _call(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[T], deadline_s: float = 0.0
    ) -> T:
        try:
            answer = await self._client._call(method, path, body, kind, deadline_s)
        except QuantdeckError as error:
            self._link.answered(self._name, method, path, body, error)
            raise
        self._link.answered(self._name, method, path, body, answer)
        return answer

    async def lines(self, path: str, timeout: httpx.Timeout) -> AsyncIterator[bytes]:
        """Each line of a log is written down; events are already."""
        source = log_source(path)
        if not source:
            async for line in self._client.lines(path, timeout):
                yield line
            return
        self._link.log_read(self._name, source, opened=True)
        try:
            async for line in self._client.lines(path, timeout):
                self._link.logged(self._name, source, line)
                yield line
        finally:
            self._link.log_read(self._name, source, opened=False)


def log_source(path: str) -> str:
    """The log that a path names; empty for other paths."""
    start, _, rest = path.partition("/v1/logs/")
    return "" if start else unquote(rest.partition("?")[0])
