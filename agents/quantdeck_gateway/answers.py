"""Answers that the gateway gives itself, in the shape that OpenAI clients expect."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
JSON = b"application/json"


class _Error(msgspec.Struct):
    message: str
    type: str
    code: str


class _ErrorBody(msgspec.Struct):
    error: _Error


def status_line(status: int) -> bytes:
    """The first line of an answer, also for a status that has no name."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def error_body(status: int, code: str, message: str) -> bytes:
    """An OpenAI-style error object."""
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return msgspec.json.encode(_ErrorBody(_Error(message, kind, code)))


def error_event(code: str, message: str) -> bytes:
    """The error as a server-sent event, for an answer that has begun. It ends whatever event was cut before it."""
    return b"\n\ndata: " + error_body(502, code, message) + b"\n\n"


def whole_answer(status: int, body: bytes, *, content_type: bytes = JSON, extra: bytes = b"", close: bool) -> bytes:
    """Head and body of an answer; `extra` are finished header lines."""
    connection = b"connection: close\r\n" if close else b""
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
        status_line(status),
        content_type,
        len(body),
        extra,
        connection,
        body,
    )
