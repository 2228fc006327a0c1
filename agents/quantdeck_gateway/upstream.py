"""One connection to an engine."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from quantdeck_gateway.answer_head import AnswerHead
from quantdeck_gateway.headers import RESPONSE_HANDLED, Handled
from quantdeck_gateway.limits import CONNECT_S, CONNECT_TLS_S, HEADER_BYTES, REST_S

if TYPE_CHECKING:
    from quantdeck_gateway.relay import Relay
    from quantdeck_gateway.replica import Replica

_HANDLED = Handled(RESPONSE_HANDLED)
_known = _HANDLED.known.get
_LINE_FEED = 10
_NO_HTTP = (httptools.HttpParserError, httptools.HttpParserUpgrade)

_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 20),
    (socket.TCP_KEEPINTVL, 10),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, 50_000),
)
"""Seconds, seconds, probes, and milliseconds that what was sent may go unacknowledged."""


class AnswerSink(Protocol):
    """Who asked. After `answer_part(done=True)` or `answer_broken` it hears no more."""

    def answer_part(self, head: AnswerHead | None, body: bytes, done: bool) -> None:
        """What one read brought: the head if it was in it, and the bytes of the body without their framing."""

    def keep(self, body: bytes) -> None:
        """The bytes of the body, without their framing, of events that a relay has passed on already."""

    def answer_broken(self, reason: str) -> None:
        """The engine broke off, or speaks no HTTP."""


class UpstreamConnection(asyncio.Protocol):
    """Sends one request at a time and reads its answer.

    Attributes:
        relay: takes the events of this answer to the client; given by the sink.
    """

    __slots__ = (
        "_bodies",
        "_done",
        "_fresh_head",
        "_head",
        "_head_bytes",
        "_keep_alive",
        "_loop",
        "_parser",
        "_paused",
        "_replica",
        "_sink",
        "_within",
        "closed",
        "idle_since",
        "on_body",
        "on_chunk_complete",
        "on_chunk_header",
        "relay",
        "transport",
    )
    transport: asyncio.Transport

    def __init__(self, replica: Replica, loop: asyncio.AbstractEventLoop) -> None:
        self.relay: Relay | None = None
        self.idle_since = 0.0
        self._replica, self._loop = replica, loop
        self._bodies: list[bytes] = []
        self._within: list[bool] = []
        """Empty between two chunks, where the next byte is the first of one's size."""
        # The parser calls these for each chunk. They are C throughout: with methods of ours it took twice as long.
        self.on_body = self._bodies.append
        self.on_chunk_header = partial(self._within.append, True)
        self.on_chunk_complete = self._within.clear
        self._parser = httptools.HttpResponseParser(self)
        self._sink: AnswerSink | None = None
        self._head = AnswerHead()
        self._fresh_head: AnswerHead | None = None
        self._done = False
        self._paused = False
        self._keep_alive = False
        self._head_bytes = 0
        self.closed = False

    def send(self, sink: AnswerSink, request: bytes) -> None:
        """Ask; the sink hears the answer."""
        self._sink, self._head_bytes = sink, 0
        self.transport.write(request)

    def pause(self) -> None:
        """Read no more for now: the client is slower than the engine."""
        if self._paused:
            return
        self._paused = True
        if self.relay is not None and self.relay.joined:
            self.relay.leave()
        else:
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
        self._end_relay()

    def close(self) -> None:
        """Close an idle connection."""
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast("asyncio.Transport", transport)
        if not self._replica.local:
            _notice_when_it_vanishes(transport.get_extra_info("socket"))

    def eof_received(self) -> None:
        """The engine closes the connection."""
        self._engine_closed()

    def _engine_closed(self) -> None:
        now = self._loop.time()
        soon = now - self.idle_since < REST_S
        self._replica.rests.closed(now, after_stream=soon and self._head.event_stream)

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine closed or broke the connection."""
        self.closed = True
        with suppress(*_NO_HTTP):  # it broke off in any case
            self._read_passed()
        self._end_relay()
        sink, self._sink = self._sink, None
        del self._parser  # it refers to this one: without a cycle both go at once, and not when the collector comes
        if exc is not None:
            self._engine_closed()
        if sink is None:
            self._replica.rests.forget(self)
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
            if self.relay is not None:
                self._read_passed()
            self._parser.feed_data(data)
        except _NO_HTTP:
            self._no_http()
            return
        if data[-1] != _LINE_FEED and not self._within:
            self._within.append(True)  # perhaps within the next one's size, of which the parser says nothing yet
        if not self._head.status:
            self._head_bytes += len(data)
            if self._head_bytes > HEADER_BYTES:
                self.cancel()
                sink.answer_broken(f"the head of its answer is larger than {HEADER_BYTES} bytes")
                return
        body = self._take_body() if self._bodies else b""
        head, self._fresh_head = self._fresh_head, None
        if self._done:
            self._release()
            sink.answer_part(head, body, True)
        elif body or head is not None:
            sink.answer_part(head, body, False)
            if self.relay is not None:
                self.relay.join_soon()

    @property
    def may_pass(self) -> bool:
        """Whether what comes next is a chunk from its beginning, and the transport has nothing else to do."""
        return (
            not self._within
            and not self._paused
            and not self.transport.is_closing()
            and not self.transport.get_write_buffer_size()
        )

    def catch_up(self) -> None:
        """Take apart what the relay has passed on."""
        try:
            self._read_passed()
        except _NO_HTTP:
            self._no_http()

    def _read_passed(self) -> None:
        relay, sink = self.relay, self._sink
        if relay is None or sink is None or not relay.unread:
            return
        passed = b"".join(relay.unread)
        relay.unread.clear()
        self._parser.feed_data(passed)
        sink.keep(self._take_body())
        if self._within:
            raise httptools.HttpParserError("an event's end within a chunk")

    def _no_http(self) -> None:
        sink = self._sink
        self.cancel()
        if sink is not None:
            sink.answer_broken("the engine's answer is not HTTP")

    def _end_relay(self) -> None:
        relay, self.relay = self.relay, None
        if relay is not None and relay.joined:
            relay.leave()
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _take_body(self) -> bytes:
        bodies = self._bodies
        body = bodies[0] if len(bodies) == 1 else b"".join(bodies)
        bodies.clear()
        return body

    def _release(self) -> None:
        self._sink, self._done = None, False
        self._end_relay()
        if self._paused:
            self.resume()
        rests = self._replica.rests
        self.idle_since = now = self._loop.time()
        # An answer before the request was read in full leaves a connection that nobody can use.
        if not self._keep_alive or self.transport.get_write_buffer_size():
            self.close()
        elif not self._head.event_stream or rests.needless:
            self._replica.give_back(self)
        elif rests.begin(self, now):
            self._loop.call_later(REST_S, self._rested)
        else:
            self.close()

    def _rested(self) -> None:
        if self._replica.rests.end(self):
            self._replica.give_back(self)

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request is an error."""
        if self._done:
            raise ValueError("an answer that nobody asked for")
        self._head = AnswerHead()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head; what comes after it is a trailer, which is left out."""
        handled = _known(name)
        if handled is None:
            handled = _HANDLED.learn(name)
        if handled:
            self._head.add_field(handled, value)
        elif not self._head.status:
            self._head.fields += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        """The head is complete."""
        status = self._parser.get_status_code()
        if not 100 <= status < 600:
            raise ValueError("no status of HTTP")
        if status >= 200:  # 1xx: the answer proper follows
            self._head.end(status)
            self._within[:] = (True,)
            self._keep_alive = self._parser.should_keep_alive()  # only known here: the end of a message resets it
            self._fresh_head = self._head

    def on_message_complete(self) -> None:
        """The answer is complete."""
        if self._head.status:
            self._done = True


async def connect(replica: Replica, loop: asyncio.AbstractEventLoop) -> UpstreamConnection:
    """A new connection to an engine.

    Raises:
        OSError: it refused, did not accept within 2 s (5 s with TLS), or is not who it should be.
    """
    try:
        async with asyncio.timeout(CONNECT_TLS_S if replica.tls else CONNECT_S):
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(replica, loop), replica.host, replica.port, ssl=replica.tls
            )
    except OSError:
        replica.rests.closed(loop.time(), after_stream=False)
        raise
    if connection.closed:
        raise ConnectionResetError
    return connection


def _notice_when_it_vanishes(connected: socket.socket) -> None:
    """A host that lost its power or its network says nothing more. Known within a minute, whether idle or not."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
