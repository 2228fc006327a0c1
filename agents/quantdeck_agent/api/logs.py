"""The paths of logs: which there are, and their lines as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quantdeck_agent.api.messages import BodyError, answer
from quantdeck_agent.logs.files import LogFiles
from quantdeck_agent.logs.own import AGENT, OwnLog, OwnReader
from quantdeck_agent.logs.reader import LogReader
from quantdeck_core.errors import ConflictError
from quantdeck_core.protocol.logs import DEFAULT_LINES, HEARTBEAT_S, MAX_LINES, LogLine, LogSource, LogSources

POLL_S = 0.25
MAX_READERS = 64


class TooManyReadersError(ConflictError):
    """So many follow already that one more is refused."""

    code = "too-many-readers"
    title = "Too many readers"
    http_status = 429


class LogRoutes:
    """Handlers. A reader is asked for lines only when the last ones are sent: a slow one makes nothing grow.

    Args:
        live: sources whose writers are wanted here now.
    """

    def __init__(self, files: LogFiles, own: OwnLog, live: Callable[[], Collection[str]]) -> None:
        self._files, self._own, self._live = files, own, live
        self._readers = 0

    def routes(self) -> list[Route]:
        """What the application adds."""
        return [Route("/v1/logs", self.sources), Route("/v1/logs/{source}", self.read)]

    async def sources(self, _request: Request) -> Response:
        """GET /v1/logs: what can be read here."""
        live = self._live()
        found = [LogSource(source=AGENT, live=True, written_at=self._own.written_at)]
        for source, file in self._files.all().items():
            try:
                stat = file.stat()
            except OSError:  # removed meanwhile
                continue
            found.append(
                LogSource(source=source, live=source in live, size_bytes=stat.st_size, written_at=stat.st_mtime)
            )
        return answer(LogSources(sources=tuple(found)))

    async def read(self, request: Request) -> Response:
        """GET /v1/logs/SOURCE?lines=N&follow=1: the last lines, then those that come, one JSON object a line."""
        count = _number(request.query_params.get("lines", str(DEFAULT_LINES)))
        follow = request.query_params.get("follow", "0") not in ("", "0")
        source = request.path_params["source"]
        if self._readers >= MAX_READERS:
            raise TooManyReadersError(f"{self._readers} read logs here already.", "End one of them first.")
        reader: LogReader | OwnReader
        if source == AGENT:
            reader = OwnReader(self._own, count)
        else:
            reader = await asyncio.to_thread(LogReader, self._files, source, count)
        return StreamingResponse(self._lines(reader, source, follow), media_type="application/x-ndjson")

    async def _lines(self, reader: LogReader | OwnReader, source: str, follow: bool) -> AsyncIterator[bytes]:
        self._readers += 1
        try:
            for part in _packed(iter(await asyncio.to_thread(lambda: list(reader.tail())))):
                yield part
            if not follow:
                for part in _packed(reader.end()):
                    yield part
                return
            yield next(_packed(iter([LogLine(source=source)])))
            quiet_since = time.monotonic()
            while True:
                lines = await asyncio.to_thread(lambda: list(reader.more(time.time())))
                if not lines and time.monotonic() - quiet_since >= HEARTBEAT_S:
                    lines = [LogLine(source=source)]
                for part in _packed(iter(lines)):
                    quiet_since = time.monotonic()
                    yield part
                await asyncio.sleep(POLL_S)
        finally:
            self._readers -= 1


_PACK = 200


def _packed(lines: Iterator[LogLine]) -> Iterator[bytes]:
    """Many lines a write."""
    part: list[bytes] = []
    for line in lines:
        part.append(msgspec.json.encode(line))
        if len(part) == _PACK:
            yield b"\n".join(part) + b"\n"
            part = []
    if part:
        yield b"\n".join(part) + b"\n"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BodyError(f"lines={text!r} is no whole number.", f"Give 0 to {MAX_LINES}.")
    return min(int(text), MAX_LINES)
