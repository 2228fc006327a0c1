"""A real HTTP server that models are pulled from, with every bad habit that such servers have; and a proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Asked:
    """One request as it came."""

    target: str
    headers: dict[str, str]


@dataclass
class Source:
    """Files by path.

    Attributes:
        cut_after: the connection breaks after so many bytes of a body, once for each entry.
        ranges: whether `Range` is understood.
        lie: added to each announced length.
        endless: no length is announced.
        redirects: path -> where to.
        status: path -> an error instead of a file.
        asked: every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"v1"'
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    lie: int = 0
    endless: bool = False
    redirects: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sent: Callable[[int], None] = lambda _: None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._answer(await _read(reader), writer)
        writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        parts = urlsplit(asked.target)
        path = parts.path
        if path in self.redirects:
            writer.write(_head(302, {"location": self.redirects[path], "content-length": "0"}))
            return
        if path in self.status or path not in self.files:
            writer.write(_head(self.status.get(path, 404), {"content-length": "0"}))
            return
        content, start, status = self.files[path], 0, 200
        wanted = asked.headers.get("range", "")
        current = asked.headers.get("if-range", self.etag) == self.etag
        if self.ranges and wanted.startswith("bytes=") and current:
            start, status = int(wanted[6:].rstrip("-")), 206
        headers = {"etag": self.etag, "connection": "close"}
        if not self.endless:
            headers["content-length"] = str(len(content) - start + self.lie)
        if status == 206:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        writer.write(_head(status, headers))
        limit = self.cut_after.pop(0) if self.cut_after else None
        body = memoryview(content)[start:][:limit]
        for offset in range(0, len(body), 1 << 16):
            writer.write(body[offset : offset + (1 << 16)])
            await writer.drain()
            self.sent(start + offset)
        if limit is not None:
            writer.transport.abort()


@dataclass
class Proxy:
    """Forwards plain requests, and notes what for."""

    seen: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            asked = await _read(reader)
            self.seen.append(asked.target)
            parts = urlsplit(asked.target)
            there, out = await asyncio.open_connection(parts.hostname, parts.port)
            lines = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
            out.write(f"GET {parts.path} HTTP/1.1\r\n{lines}\r\n".encode())
            while data := await there.read(1 << 16):
                writer.write(data)
                await writer.drain()
            out.close()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return Asked(head[0].split()[1], {name.lower(): value for name, value in headers.items()})


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Some\r\n{lines}\r\n".encode()


@contextlib.asynccontextmanager
async def served(*what: Source | Proxy) -> AsyncIterator[None]:
    """All of them listen, on ports of their own."""
    servers = []
    for one in what:
        server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
        one.port = server.sockets[0].getsockname()[1]
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.close()
