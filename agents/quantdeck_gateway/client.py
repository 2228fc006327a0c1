"""One client's connection: HTTP/1.1 with keep-alive and pipelining, for the data plane and the control socket alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from quantdeck_gateway.answers import JSON, error_body, whole_answer
from quantdeck_gateway.declined import parser_after
from quantdeck_gateway.limits import CLIENT_IDLE_S, HEADER_BYTES, LINGER_S, RETIRED_IDLE_S, Deadlines
from quantdeck_gateway.request import HANDLED, Request, RequestRefusedError

_known = HANDLED.known.get

log = logging.getLogger("quantdeck.gateway")


class Work(Protocol):
    """A request that is being answered."""

    def client_left(self) -> None:
        """The connection is gone; nothing may be written any more."""

    def client_slow(self) -> None:
        """Write no more than necessary."""

    def client_ready(self) -> None:
        """The client has caught up."""

    def tick(self, client_slow: bool) -> None:
        """A second has passed."""


class Handler(Protocol):
    """Answers requests: at once with `ClientConnection.answer`, or later by `ClientConnection.begin`."""

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Called for one request at a time of a connection."""


# Where a connection stands. Numbers and no Enum: its members cost five times as much to read, four times a request.
_HEADER, _BODY, _ANSWER, _IDLE, _LINGER = range(5)
"""The last: refused; what still comes is thrown away, so that the client can read why."""
_BODY_PER_FRAMING = 8
"""Of a long body at least so many bytes must come with each byte of framing. Chunks of a few bytes would cost an object
each while they wait, twenty times what they hold."""


class ClientConnection(asyncio.Protocol):
    """Reads requests and hands them to the handler, one at a time.

    Args:
        registry: open connections; this one adds and removes itself.

    Attributes:
        draining: every answer that begins says that the connection ends with it.
        write: sends a part of the answer; the transport's own method, since each streamed event calls it.
    """

    __slots__ = (
        "_answering",
        "_deadlines",
        "_ending",
        "_handler",
        "_message_bytes",
        "_parser",
        "_paused",
        "_phase",
        "_phase_s",
        "_read_bytes",
        "_read_is_ascii",
        "_reading",
        "_registry",
        "_serving",
        "_slow",
        "_waiting",
        "_work",
        "draining",
        "transport",
        "write",
    )
    transport: asyncio.Transport
    write: Callable[[bytes], None]

    def __init__(self, handler: Handler, registry: set[ClientConnection], deadlines: Deadlines) -> None:
        self.draining = False
        self._ending = False
        self._handler, self._registry, self._deadlines = handler, registry, deadlines
        self._parser: httptools.HttpRequestParser | None = None
        self._reading = Request()
        self._waiting: list[Request] = []
        self._answering: Request | None = None
        self._work: Work | None = None
        self._phase = _HEADER
        self._phase_s = 0
        self._message_bytes = self._read_bytes = 0
        self._read_is_ascii = True
        self._slow = False
        self._serving = False
        self._paused = False

    # What a handler calls.

    def begin(self, work: Work) -> None:
        """The answer comes later; `work` is told what happens until `finish`."""
        self._work = work

    def answer(self, status: int, body: bytes, *, content_type: bytes = JSON, extra: bytes = b"") -> None:
        """The whole answer to the request at hand."""
        request = self._answering
        close = self.draining or request is None or not request.keep_alive
        data = whole_answer(status, body, content_type=content_type, extra=extra, close=close)
        if request is not None and request.method == b"HEAD":
            data = data[: data.index(b"\r\n\r\n") + 4]
        self.transport.write(data)
        self.finish(close=close)

    def finish(self, *, close: bool) -> None:
        """The answer is written; go on with the next request or end the connection."""
        self._work = self._answering = None
        if self._phase is _ANSWER:
            self._enter(_IDLE)
        if close or self._ending:
            self._waiting.clear()
            self.transport.close()
        elif not self._serving and (self._waiting or self._paused):
            self._serve()

    def save_memory(self) -> None:
        """The answer takes long: what only the next request needs is made anew then."""
        if self._phase is _ANSWER:
            self._parser = None

    def abort(self) -> None:
        """End the connection without another byte."""
        self.transport.abort()

    # What the server calls.

    @property
    def busy(self) -> bool:
        """Whether an answer is in flight."""
        return self._answering is not None

    def drain(self, *, gentle: bool = False) -> None:
        """End the connection.

        Args:
            gentle: with the answer to the next request, which may be on its way; else when no answer is in flight.
        """
        self.draining = True
        if gentle:
            return
        self._ending = True
        if not self.busy:
            self.transport.close()

    def tick(self) -> None:
        """A second has passed."""
        if self._work is not None:
            self._work.tick(self._slow)
            return
        self._phase_s += 1
        deadline = self._deadline()
        if self._phase_s <= (min(deadline, RETIRED_IDLE_S) if self.draining else deadline):
            return
        if self._phase in (_HEADER, _BODY) and self._reading.url:
            self._refuse(RequestRefusedError(408, "request_timeout", "The request did not arrive in time."))
        else:
            self.transport.abort()

    def _deadline(self) -> float:
        if self._phase is _HEADER:
            return self._deadlines.header
        if self._phase is _BODY:
            return self._deadlines.body
        return LINGER_S if self._phase is _LINGER else CLIENT_IDLE_S

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self.transport = cast("asyncio.Transport", transport)
        self.write = self.transport.write
        self._registry.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._registry.discard(self)
        self._waiting.clear()
        self._phase = _LINGER
        self._parser = None  # it refers to this one: without a cycle both go at once, and not when the collector comes
        work, self._work = self._work, None
        if work is not None:
            work.client_left()

    def pause_writing(self) -> None:
        """The client does not read."""
        self._slow = True
        if self._work is not None:
            self._work.client_slow()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._slow = False
        if self._work is not None:
            self._work.client_ready()
        else:
            self._serve()

    def data_received(self, data: bytes) -> None:
        """A part of a request, or several."""
        if self._phase is _LINGER:
            return
        self._read_bytes = len(data)
        self._read_is_ascii = self._phase is not _BODY and data.isascii()
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            offer = None
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as error:
                offer = error
            if offer is not None:  # outside the clause above, which would be taken for the cause of what fails now
                self._decline(data, offer)
            if self._phase <= _BODY:
                self._check_framing()
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, RequestRefusedError):
                raise
            self._refuse(cause)
        except httptools.HttpParserError:
            self._refuse(RequestRefusedError(400, "bad_framing", "The request is not valid HTTP/1.1."))
        except RequestRefusedError as refusal:
            self._refuse(refusal)
        if self._waiting:
            self._serve()

    def _decline(self, data: bytes, offer: httptools.HttpParserUpgrade) -> None:
        """A client offers another protocol: HTTP/1.1 goes on."""
        while True:
            request = self._waiting.pop()  # complete, says the parser: without its body
            if request.method == b"CONNECT":
                raise RequestRefusedError(400, "no_tunnel", "This gateway is no proxy for other servers.")
            self._phase = _BODY
            self._parser = parser_after(request, self)
            data = data[offer.args[0] :]
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as another:
                offer = another
            else:
                return

    def _check_framing(self) -> None:
        """A request is not complete yet: what is no body (a name or a chunk extension without end) is bounded."""
        self._message_bytes += self._read_bytes
        reading = self._reading
        body = reading.body_size if reading.more_body else len(reading.body)
        if self._message_bytes - body > HEADER_BYTES + body // _BODY_PER_FRAMING:
            if not reading.header_done:
                raise _header_too_large()
            raise RequestRefusedError(400, "bad_framing", "There is too much framing for so little body.")

    def _serve(self) -> None:
        waiting = self._waiting
        self._serving = True
        while waiting and self._answering is None and not self._slow:
            self._answering = request = waiting.pop(0)
            try:
                self._handler.handle(self, request)
            except Exception:  # a defect of ours must not leave a client waiting for ever
                log.exception("no answer to %r", request.path)
                self.abort()
                break
        self._serving = False
        # Who sends requests before it has read the answers waits in the kernel, not in our memory.
        if (waiting or self._paused) and bool(waiting) is not self._paused and not self.transport.is_closing():
            self._paused = not self._paused
            (self.transport.pause_reading if self._paused else self.transport.resume_reading)()

    def _refuse(self, refusal: RequestRefusedError) -> None:
        """Answer with an error and end the connection; requests before it are answered first."""
        self._enter(_LINGER)
        if self._answering is not None or self._waiting:
            (self._waiting[-1] if self._waiting else self._answering).keep_alive = False  # type: ignore[union-attr]
            self.draining = self._ending = not self._waiting
            return
        body = error_body(refusal.status, refusal.code, refusal.message)
        self.transport.write(whole_answer(refusal.status, body, close=True))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _enter(self, phase: int) -> None:
        self._phase, self._phase_s = phase, 0

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = Request()
        # The read with which it begins may hold the end of the one before, so it does not count.
        self._message_bytes = -self._read_bytes
        self._phase_s = 0
        self._phase = _HEADER

    def on_url(self, url: bytes) -> None:
        """The request target, perhaps in parts."""
        self._reading.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the header; what comes after it is a trailer, which is left out."""
        handled = _known(name)
        if handled is None:
            handled = HANDLED.learn(name)
        reading = self._reading
        if reading.header_done:
            return
        if handled:
            reading.add_field(handled, value)
        else:
            reading.head += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        """The header is complete."""
        request, parser = self._reading, self._parser
        if parser is None:
            return  # never: it is who calls
        if not request.end_header(parser.get_method(), parser.should_keep_alive()):
            request.read_connection(parser.get_http_version())
        began_before = self._message_bytes >= 0
        if (began_before or self._read_bytes > HEADER_BYTES) and sum(map(len, request.head)) > HEADER_BYTES:
            raise _header_too_large()
        if began_before or not self._read_is_ascii:
            request.check_utf8()
        if request.expects_continue and self._answering is None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._phase, self._phase_s = _BODY, 0

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        request = self._reading
        if request.body:
            request.add_body(body)
        else:
            request.body = body

    def on_message_complete(self) -> None:
        """The request is complete."""
        request = self._reading
        if request.more_body:
            request.end_body()
        self._waiting.append(request)
        self._phase, self._phase_s = _ANSWER, 0


def _header_too_large() -> RequestRefusedError:
    return RequestRefusedError(431, "header_too_large", f"The header is larger than {HEADER_BYTES} bytes.")
