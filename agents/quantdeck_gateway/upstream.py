"""One connection to an engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from quantdeck_gateway.headers import HOP_BY_HOP, RESPONSE_HANDLED, Fields, add_field, is_event_stream, tokens, without
from quantdeck_gateway.limits import CONNECT_S

if TYPE_CHECKING:
    from quantdeck_gateway.replica import Replica

_JOIN_BYTES = 65_536
"""Up to here one copy costs less than a write of two pieces."""


class AnswerHead:
    """The head of an engine's answer.

    Attributes:
        fields: what the client gets as it came.
        content_length: empty without one.
        until_close: neither a length nor chunks: it ends when the engine closes.
    """

    status = 0
    content_length = b""
    connection = b""
    chunked = False
    event_stream = False
    until_close = False

    def __init__(self) -> None:
        self.fields: Fields = []

    def read(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Take in the head."""
        self.status = status
        forwarded = self.fields
        for name, value in fields:
            name = name.lower()
            if name in RESPONSE_HANDLED:
                self._handle(name, value)
            else:
                forwarded += (name, b": ", value, b"\r\n")
        self.until_close = not (self.chunked or self.content_length or status in (204, 304))
        if self.connection:
            self.fields = without(forwarded, tokens(self.connection) - HOP_BY_HOP)

    def _handle(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self.content_length = value
        elif name == b"content-type":
            self.event_stream = is_event_stream(value)
            add_field(self.fields, name, value)
        elif name == b"transfer-encoding":
            self.chunked = b"chunked" in value.lower()
        elif name == b"connection":
            self.connection = value


class AnswerSink(Protocol):
    """Who asked. After `answer_part(done=True)` or `answer_broken` it hears no more."""

    def answer_part(self, head: AnswerHead | None, body: bytes, done: bool) -> None:
        """What one read brought: the head if it was in it, and the bytes of the body without their framing."""

    def answer_broken(self, reason: str) -> None:
        """The engine broke off, or speaks no HTTP."""


class UpstreamConnection(asyncio.Protocol):
    """Sends one request at a time and reads its answer."""

    transport: asyncio.Transport

    def __init__(self, replica: Replica, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_since = 0.0
        self._replica, self._loop = replica, loop
        self._parser = httptools.HttpResponseParser(self)
        self._sink: AnswerSink | None = None
        self._head = AnswerHead()
        self._fresh_head: AnswerHead | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._done = False
        self._paused = False
        self._keep_alive = False
        self.closed = False

    def send(self, sink: AnswerSink, head: bytes, body: bytes) -> None:
        """Ask; the sink hears the answer."""
        self._sink = sink
        if len(body) <= _JOIN_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))

    def pause(self) -> None:
        """Read no more for now: the client is slower than the engine."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            if not self.closed:
                self.transport.resume_reading()

    def cancel(self) -> None:
        """Break the request off; the engine notices and stops generating."""
        self._sink = None
        self.transport.abort()

    def close(self) -> None:
        """Close an idle connection."""
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine closed or broke the connection."""
        self.closed = True
        sink, self._sink = self._sink, None
        if sink is None:
            self._replica.forget(self)
        elif exc is None and self._head.until_close:
            sink.answer_part(None, b"", True)
        else:
            sink.answer_broken("the engine closed the connection")

    def data_received(self, data: bytes) -> None:
        """A part of the answer."""
        sink = self._sink
        if sink is None:  # nobody asked: what it says now would be taken for the next answer
            self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.cancel()
            sink.answer_broken("the engine's answer is not HTTP")
            return
        pieces = self._body
        if not pieces:
            body = b""
        else:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._body = []
        head, self._fresh_head = self._fresh_head, None
        if self._done:
            self._release()
            sink.answer_part(head, body, True)
        elif body or head is not None:
            sink.answer_part(head, body, False)

    def _release(self) -> None:
        self._sink, self._done = None, False
        self.resume()
        # An answer before the request was read in full leaves a connection that nobody can use. And llama.cpp closes
        # after each stream although it announces keep-alive: a request sent in that instant would be lost.
        if self._keep_alive and not self._head.event_stream and not self.transport.get_write_buffer_size():
            self.idle_since = self._loop.time()
            self._replica.give_back(self)
        else:
            self.close()

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request is an error."""
        if self._done:
            raise ValueError("an answer that nobody asked for")
        self._head = AnswerHead()
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head; what comes after it is a trailer, which is left out."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        status = self._parser.get_status_code()
        if status >= 200:  # 1xx: the answer proper follows
            self._head.read(status, self._fields)
            self._keep_alive = self._parser.should_keep_alive()  # only known here: the end of a message resets it
            self._fresh_head = self._head

    def on_body(self, body: bytes) -> None:
        """A part of the body, without its framing."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        if self._head.status:
            self._done = True


async def connect(replica: Replica, loop: asyncio.AbstractEventLoop) -> UpstreamConnection:
    """A new connection to an engine.

    Raises:
        OSError: it refused, or did not accept within 2 s.
    """
    async with asyncio.timeout(CONNECT_S):
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(replica, loop), replica.host, replica.port
        )
    if connection.closed:
        raise ConnectionResetError
    return connection
