"""One request of a client, as far as the gateway looks at it."""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from uuid import UUID

import msgspec

from quantdeck_core.protocol.gateway import Priority
from quantdeck_gateway.api_keys import Key
from quantdeck_gateway.headers import HOP_BY_HOP, REQUEST_HANDLED, Fields, Handled, tokens, without
from quantdeck_gateway.limits import BODY_BYTES
from quantdeck_gateway.numbers import numbered

_API_KEY = frozenset({b"x-api-key"})
_SURELY_SHORT = len(str(BODY_BYTES)) - 1
"""Digits of a length that need not be read."""
_QUESTION_MARK = ord("?")
"""As a number: to look for bytes in bytes, Python first tries to take them for one, and makes an error of it."""
_IDENTITY = frozenset({b"identity"})
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_LONGEST_HOST = 300
_SEGMENT = re.compile(rb"[a-z0-9][a-z0-9._-]{0,31}")
HANDLED = Handled(REQUEST_HANDLED)
"""Which fields `Request.add_field` takes; all others are added to `Request.head` by who reads them."""


_id_prefix = str(UUID(bytes=secrets.token_bytes(16), version=4))[:24].encode()
_ids = numbered(_id_prefix, 12)


def new_request_id() -> bytes:
    """An id for a request that came without one: a UUID, since llama-cpp-python answers 400 to any other."""
    return next(_ids)


class RequestRefusedError(Exception):
    """A request that is answered with an error, after which its connection ends."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Request:
    """A request while and after it is read.

    Attributes:
        url: as it was sent; `path` is without a query, which is not forwarded.
        head: the header lines that are forwarded upstream, as flat pieces; the first is left for the request line.
        content_length: as it was sent, empty without one.
        user: `x-user-id`, empty without one.
        variant: `x-quantdeck-variant`, which most experiments pass over; empty without one.
        api_key: `x-api-key`, empty without one.
        segment: `x-quantdeck-segment`, a name that the client gives to requests of one kind; empty without a valid one.
        key: name of the API key that it came with; empty where none is asked for.
        priority: that its client is granted; `wanted_priority` is `x-quantdeck-priority`, which may lower it.
        http_10: chunked answers must not be used.
        more_body: pieces of the body after the first.
    """

    __slots__ = (
        "api_key",
        "authorization",
        "body",
        "body_size",
        "chunked",
        "connection",
        "content_length",
        "expects_continue",
        "head",
        "header_done",
        "hosts",
        "http_10",
        "keep_alive",
        "key",
        "method",
        "more_body",
        "path",
        "priority",
        "request_id",
        "segment",
        "url",
        "user",
        "variant",
        "wanted_priority",
    )
    # Slots, and all of them filled: what only the class has is found ten times slower, and Python gives up laying out
    # the fields of a class whose first objects do not have them yet.

    def __init__(self) -> None:
        self.head: Fields = [b""]
        self.method = self.url = self.path = self.body = self.content_length = b""
        self.user = self.variant = self.wanted_priority = b""
        self.request_id = self.authorization = self.api_key = self.connection = b""
        self.key = self.segment = ""
        self.priority: Priority = "normal"
        self.hosts = self.body_size = 0
        self.chunked = self.expects_continue = self.http_10 = self.header_done = False
        self.keep_alive = True
        self.more_body: list[bytes] | None = None

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take in a field of the header that is looked at; `name` in lower case.

        Raises:
            RequestRefusedError: the body is too large or compressed, it expects what we do not do, or the host is none.
        """
        if name == b"x-user-id":
            self.user = value
            self.head += (name, b": ", value, b"\r\n")
        elif name == b"host":
            self.hosts += 1
            if not _is_host(value):
                raise RequestRefusedError(400, "bad_host", "The Host field names no host.")
        elif name == b"content-length":
            self.content_length = value
            if len(value) > _SURELY_SHORT and int(value) > BODY_BYTES:
                raise _too_large()
        elif name == b"x-request-id":
            self.request_id = value
        elif name == b"authorization":
            self.authorization = value
        else:
            self._add_rare_field(name, value)

    def _add_rare_field(self, name: bytes, value: bytes) -> None:
        if name == b"x-quantdeck-variant":
            self.variant = value
        elif name == b"x-quantdeck-priority":
            self.wanted_priority = value
        elif name == b"x-quantdeck-segment":
            if _SEGMENT.fullmatch(value):
                self.segment = value.decode()
        elif name == b"x-api-key":
            self.api_key = value
            self.head += (name, b": ", value, b"\r\n")
        elif name == b"connection":
            self.connection = b"%b,%b" % (self.connection, value) if self.connection else value
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise RequestRefusedError(400, "bad_framing", "Chunks are the only coding of a transfer here.")
            self.chunked = True
        elif name == b"content-encoding" and tokens(value) - _IDENTITY:
            raise RequestRefusedError(415, "unsupported_encoding", "Compressed request bodies are not accepted.")
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise RequestRefusedError(417, "expectation_failed", "Only 'Expect: 100-continue' is understood.")
            self.expects_continue = True

    def end_header(self, method: bytes, keep_alive: bool) -> bool:
        """The header is complete; False where `read_connection` must follow, which few requests need."""
        self.header_done = True
        self.method, self.keep_alive = method, keep_alive
        url = self.url
        self.path = url.partition(b"?")[0] if _QUESTION_MARK in url else url
        return self.hosts == 1 and keep_alive and not self.connection

    def read_connection(self, version: str) -> None:
        """Take in what concerns this connection only.

        Raises:
            RequestRefusedError: it does not name one host, or is of another HTTP.
        """
        if version not in ("1.1", "1.0"):
            raise RequestRefusedError(400, "bad_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        self.http_10 = version == "1.0"
        if self.http_10 and self.chunked:
            raise RequestRefusedError(400, "bad_framing", "HTTP/1.0 has no chunks.")
        if self.hosts != 1 and not (self.http_10 and self.hosts == 0):
            raise RequestRefusedError(400, "bad_host", "A request has exactly one Host field.")
        named = tokens(self.connection) - HOP_BY_HOP
        if named:
            self.head = [b"", *without(self.head[1:], named)]

    def admit(self, key: Key) -> None:
        """It came with a key of this gateway's, which is none of the engines' business."""
        key.requests += 1
        self.key, self.priority = key.name, key.priority
        self.authorization = b""
        if self.api_key:
            self.head = [b"", *without(self.head[1:], _API_KEY)]

    def check_utf8(self) -> None:
        """Take no bytes that a log, a metric or an engine could stumble over; needless where all that came is ASCII.

        Raises:
            RequestRefusedError: a field is not UTF-8.
        """
        try:
            b"\n".join((*self.head, self.request_id, self.authorization, self.variant, self.wanted_priority)).decode()
        except UnicodeDecodeError:
            raise RequestRefusedError(400, "bad_header", "The header is not UTF-8.") from None

    def add_body(self, piece: bytes) -> None:
        """Take in a part of the body after the first, which one read brought and is small.

        Raises:
            RequestRefusedError: it is too large.
        """
        if self.more_body is None:
            self.more_body = []
            self.body_size = len(self.body)
        self.body_size += len(piece)
        if self.body_size > BODY_BYTES:
            raise _too_large()
        self.more_body.append(piece)

    def end_body(self) -> None:
        """The request is complete."""
        self.body = b"".join((self.body, *(self.more_body or ())))
        self.more_body = None

    def replace_body(self, body: bytes) -> None:
        """Send another body on than the one that came."""
        self.body, self.content_length = body, b""


def _too_large() -> RequestRefusedError:
    return RequestRefusedError(413, "body_too_large", f"The body is larger than {BODY_BYTES} bytes.")


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    """Whether this is a Host field as RFC 9112, 3.2 has it; it is empty where a client has no name for us."""
    return len(value) <= _LONGEST_HOST and (not value or _HOST.fullmatch(value) is not None)


class _BodyKeys(msgspec.Struct):
    """What the split looks at; everything else in the body is the engine's."""

    user: object = None
    model: object = None


_body_keys = msgspec.json.Decoder(_BodyKeys)
_MOST_NESTED = 900
_LONGEST_FLAT = 2 * _MOST_NESTED
"""Bytes; a shorter body cannot nest that deep."""


def body_keys(body: bytes) -> tuple[str, str]:
    """`user` and `model` of a JSON body, empty where they are missing or no strings.

    Raises:
        RequestRefusedError: the body is no JSON object.
    """
    try:
        keys = _body_keys.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise RequestRefusedError(400, "invalid_json", "The body is not a JSON object.") from None
    return (
        keys.user if isinstance(keys.user, str) else "",
        keys.model if isinstance(keys.model, str) else "",
    )


def check_depth(body: bytes) -> None:
    """Refuse JSON without bottom where nothing else looks into the body: an engine in Python answers 500 to it, and one
    client could have a variant judged as broken.

    Raises:
        RequestRefusedError: it nests deeper than a parser of ours or of an engine can follow, or is no object.
    """
    if len(body) > _LONGEST_FLAT and body.count(b"[") + body.count(b"{") > _MOST_NESTED:
        body_keys(body)
