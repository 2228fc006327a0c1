"""A real HTTP server that takes pages, and plays what receivers do to those who send them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass
class Answer:
    """What the next request is answered with.

    Attributes:
        hangs: it is read and never answered.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass
class Receiver:
    """The server.

    Attributes:
        answers: for the next requests, in order; then `always`.
        seen: path and body of each request.
    """

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    always: Answer = field(default_factory=Answer)
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What came."""
        return [body for _, body in self.seen]

    def url(self, path: str) -> str:
        """Of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:"))
            body = msgspec.json.decode(await reader.readexactly(length))
            self.seen.append((head[0].split()[1], body))
            answer = self.answers.pop(0) if self.answers else self.always
            if answer.hangs:
                await reader.read()
                return
            lines = [f"HTTP/1.1 {answer.status} x", "content-length: 2", "connection: close"]
            lines += [f"{name}: {value}" for name, value in answer.headers.items()]
            writer.write(("\r\n".join(lines) + "\r\n\r\nok").encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback; it is gone afterwards."""
    one = Receiver()
    server = await asyncio.start_server(one._serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
