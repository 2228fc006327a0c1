"""Goes on with HTTP/1.1 after a client has offered another protocol, as Java's does with each `Upgrade: h2c`.

The parser stops at such an offer and takes the request for one without a body. Read on from there, the body would be
the next request: so a second parser is told only how it is framed, and reads it as that of the same request.
"""

from __future__ import annotations

from typing import Protocol

import httptools

from quantdeck_gateway.request import Request


class Reader(Protocol):
    """What httptools calls while it reads requests."""

    def on_message_begin(self) -> None:
        """A request begins."""

    def on_url(self, url: bytes) -> None:
        """A part of its target."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field."""

    def on_headers_complete(self) -> None:
        """The header is complete."""

    def on_body(self, body: bytes) -> None:
        """A part of the body."""

    def on_message_complete(self) -> None:
        """The request is complete."""


class _AllButFirstHeader:
    """Passes on all that is read but the header of the first request, which the reader has already."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._first = reader, True
        self.on_body, self.on_message_complete = reader.on_body, reader.on_message_complete

    def on_message_begin(self) -> None:
        if not self._first:
            self._reader.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._first:
            self._reader.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._first:
            self._reader.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._first:
            self._first = False
        else:
            self._reader.on_headers_complete()


def parser_after(request: Request, reader: Reader) -> httptools.HttpRequestParser:
    """A parser for what follows the header of a request that offered another protocol."""
    parser = httptools.HttpRequestParser(_AllButFirstHeader(reader))
    length = request.content_length or b"0"
    framing = b"transfer-encoding: chunked" if request.chunked else b"content-length: %b" % length
    parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
    return parser
