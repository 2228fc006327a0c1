"""A client that shows every byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass


@dataclass
class Reply:
    """An answer as it came.

    Attributes:
        whole: the framing was complete.
        raw: body with its framing.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True
    raw: bytes = b""

    @property
    def variant(self) -> str:
        return self.headers["x-quantdeck-variant"]

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


class Connection:
    """One client connection, used for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def head(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")[:-2]
        pairs = (line.partition(": ") for line in lines)
        return Reply(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, b"")

    async def chunk(self) -> bytes:
        """One chunk's data; empty at the end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def reply(self) -> Reply:
        reply = await self.head()
        try:
            if reply.status in (204, 304):
                pass  # has no body whatever it says
            elif reply.headers.get("transfer-encoding") == "chunked":
                while data := await self.chunk():
                    reply.body += data
            elif "content-length" in reply.headers:
                reply.body = await self.reader.readexactly(int(reply.headers["content-length"]))
            else:
                reply.body = await self.reader.read()
        except asyncio.IncompleteReadError:
            reply.whole = False
        return reply

    async def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        self.send(method, path, body, headers)
        return await self.reply()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
