"""A small real engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, field

from support.waiting import eventually

_REFUSALS = {"fail": b"500 Broken", "busy": b"503 Busy", "wrong": b"422 Wrong"}
PACE_S = 0.05
"""Between the events of a paced stream."""
CLOSES_S = 0.05
"""From the end of a stream to that of its connection, where it closes."""


@dataclass
class Engine:
    """An upstream that says which arm it is; what it does is the `act` of the body.

    Attributes:
        plays: an `act` for what has none of its own, probes included.
        paths: that it serves; None for any.
        release: lets held streams go on.
        cancelled: requests whose connection was closed before they were answered.
    """

    arm: str
    port: int = 0
    tls: ssl.SSLContext | None = None
    plays: str = ""
    paths: tuple[str, ...] | None = None
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def probes(self) -> list[dict[str, object]]:
        """Questions for one token."""
        asked = [json.loads(body) for _, body in self.seen]
        return [ask for ask in asked if ask.get("max_tokens") == 1]

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await eventually(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                self.seen.append((head, body))
                if self.paths is not None and head.split()[1] not in self.paths:
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
                else:
                    await self._answer(json.loads(body), reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, ask: dict[str, object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        act, text = ask.get("act") or self.plays, str(ask.get("text", "fine"))
        if act == "reset":
            raise ConnectionResetError
        if act == "slow":
            await asyncio.sleep(0.02)
        if act == "hang":
            await self._held(reader)
        if act in _REFUSALS:
            writer.write(b"HTTP/1.1 %b\r\ncontent-length: 2\r\n\r\n{}" % _REFUSALS[str(act)])
        elif act == "until-close":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + self.body(text))
            await writer.drain()
            writer.close()
            raise ConnectionResetError
        elif ask.get("stream"):
            await self._stream(act, text, reader, writer)
        else:
            data = self.body(text)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-engine: here\r\nkeep-alive: timeout=5\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(data), data)
            )

    async def _stream(self, act: object, text: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, event in enumerate(self.events(text)):
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            if number == 1 and act == "reset-mid":
                raise ConnectionResetError
            if act == "paced":
                await asyncio.sleep(PACE_S)
            if number == 0 and act == "hold":
                await self._held(reader)
        writer.write(b"0\r\n\r\n")
        if act == "closes":  # as llama.cpp does, although it has announced keep-alive
            await writer.drain()
            await asyncio.sleep(CLOSES_S)
            writer.close()
            raise ConnectionResetError

    async def _held(self, reader: asyncio.StreamReader) -> None:
        """Until the test lets it go on, or the gateway leaves."""
        left = asyncio.ensure_future(reader.read(1))
        go_on = asyncio.ensure_future(self.release.wait())
        await asyncio.wait({left, go_on}, return_when=asyncio.FIRST_COMPLETED)
        go_on.cancel()
        if left.done():
            self.cancelled += 1
            raise ConnectionResetError
        left.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await left

    def body(self, text: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return json.dumps({"id": self.arm, "choices": [choice], "usage": usage}).encode()

    def events(self, text: str) -> list[bytes]:
        found = []
        for word in text.split(" "):
            choice = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            found.append(b"data: " + json.dumps({"id": self.arm, "choices": [choice]}).encode() + b"\n\n")
        last = {"id": self.arm, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
        return [*found, b"data: " + json.dumps(last).encode() + b"\n\n", b"data: [DONE]\n\n"]
