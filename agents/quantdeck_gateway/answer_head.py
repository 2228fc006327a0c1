"""The head of an engine's answer, as far as the gateway looks at it."""

from __future__ import annotations

from quantdeck_gateway.headers import HOP_BY_HOP, Fields, is_event_stream, tokens, without


class AnswerHead:
    """The head of an engine's answer.

    Attributes:
        status: 0 until the head is complete.
        fields: what the client gets as it came.
        content_length: empty without one.
        until_close: neither a length nor chunks: it ends when the engine closes.
    """

    __slots__ = ("chunked", "connection", "content_length", "event_stream", "fields", "status", "until_close")

    def __init__(self) -> None:
        self.status = 0
        self.fields: Fields = []
        self.content_length = self.connection = b""
        self.chunked = self.event_stream = self.until_close = False

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take in a field that is looked at; `name` in lower case. Trailers are left out."""
        if self.status:
            return
        if name == b"content-length":
            self.content_length = value
        elif name == b"content-type":
            self.event_stream = value != b"application/json" and is_event_stream(value)
            self.fields += (name, b": ", value, b"\r\n")
        elif name == b"transfer-encoding":
            self.chunked = value.lower().find(b"chunked") >= 0
        elif name == b"connection":
            self.connection = value

    def end(self, status: int) -> None:
        """The head is complete."""
        self.status = status
        if status != 200 and status in (204, 304):
            # A client that believed a length here would take the next answer for this one's body.
            self.content_length, self.chunked = b"", False
        elif not self.content_length:
            self.until_close = not self.chunked
        if self.connection:
            self.fields = without(self.fields, tokens(self.connection) - HOP_BY_HOP)
