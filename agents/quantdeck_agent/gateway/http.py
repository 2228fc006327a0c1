"""One kept connection to a Unix socket, for a question every second: a full HTTP client costs ten times as much."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httptools

_READ_BYTES = 1 << 16
MOST_BYTES = 16 << 20


class _Reply:
    """Collects one answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > MOST_BYTES:
            raise ValueError

    def on_message_complete(self) -> None:
        self.complete = True


class UnixHttp:
    """Sends one request at a time."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._one = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes, deadline_s: float) -> tuple[int, bytes]:
        """Status and body of an answer. A request may be sent twice where a kept connection had been closed meanwhile.

        Raises:
            OSError, TimeoutError: no answer.
        """
        async with self._one, asyncio.timeout(deadline_s):
            kept = self._streams is not None
            try:
                return await self._once(method, path, body)
            except ConnectionError:
                if not kept:
                    raise
            return await self._once(method, path, body)

    async def _once(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_unix_connection(self._socket)
            reader, writer = self._streams
            head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            reply = _Reply()
            parser = httptools.HttpResponseParser(reply)
            while not reply.complete:
                data = await reader.read(_READ_BYTES)
                if not data:
                    raise ConnectionResetError
                parser.feed_data(data)
            if not parser.should_keep_alive():
                self.close()
            return int(parser.get_status_code()), bytes(reply.body)
        except httptools.HttpParserError as error:
            self.close()
            raise ConnectionAbortedError(str(error)) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None
