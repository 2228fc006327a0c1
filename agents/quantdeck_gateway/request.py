"""One request of a client, as far as the gateway looks at it."""

from __future__ import annotations

import itertools
import secrets

import msgspec

from quantdeck_gateway.headers import HOP_BY_HOP, REQUEST_HANDLED, Fields, Handled, tokens, without

_IDENTITY = frozenset({b"identity"})
_HANDLED = Handled(REQUEST_HANDLED)


_id_prefix = secrets.token_hex(6).encode()
_id_numbers = itertools.count(1)


def new_request_id() -> bytes:
    """An id for a request that came without one."""
    return b"%b-%x" % (_id_prefix, next(_id_numbers))


class RequestRefusedError(Exception):
    """A request that is answered with an error, after which its connection ends."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Request:
    """A request while and after it is read.

    Args:
        body_limit: bytes of body that are accepted.

    Attributes:
        path: without a query; queries are not forwarded.
        head: the header lines that are forwarded upstream, as flat pieces.
        user: `x-user-id`, empty without one.
        variant: `x-quantdeck-variant`, empty without one.
        http_10: chunked answers must not be used.
    """

    # Defaults of the class and not of each request: most requests never touch most of them.
    method = b""
    url = b""
    path = b""
    user = b""
    variant = b""
    request_id = b""
    authorization = b""
    connection = b""
    hosts = 0
    expects_continue = False
    keep_alive = True
    http_10 = False
    header_done = False
    body = b""
    body_size = 0
    _more_body: list[bytes] | None = None

    def __init__(self, body_limit: int) -> None:
        self.head: Fields = []
        self._body_limit = body_limit

    def add_field(self, name: bytes, value: bytes) -> None:
        """Take in a field of the header.

        Raises:
            RequestRefusedError: the body is too large or compressed, or it expects what we do not do.
        """
        handled = _HANDLED[name]
        if not handled:
            self.head += (name, b": ", value, b"\r\n")
        elif handled == b"x-user-id":
            self.user = value
            self.head += (name, b": ", value, b"\r\n")
        elif handled == b"host":
            self.hosts += 1
        elif handled == b"content-length":
            if int(value) > self._body_limit:
                raise self._too_large()
        elif handled == b"x-request-id":
            self.request_id = value
        elif handled == b"authorization":
            self.authorization = value
        else:
            self._add_rare_field(handled, value)

    def _add_rare_field(self, name: bytes, value: bytes) -> None:
        if name == b"x-quantdeck-variant":
            self.variant = value
        elif name == b"connection":
            self.connection = b"%b,%b" % (self.connection, value) if self.connection else value
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
        self.path = url.partition(b"?")[0] if b"?" in url else url
        return self.hosts == 1 and keep_alive and not self.connection

    def read_connection(self, version: str) -> None:
        """Take in what concerns this connection only.

        Raises:
            RequestRefusedError: it does not name one host.
        """
        self.http_10 = version == "1.0"
        if self.hosts != 1 and not (self.http_10 and self.hosts == 0):
            raise RequestRefusedError(400, "bad_host", "A request has exactly one Host field.")
        named = tokens(self.connection) - HOP_BY_HOP
        if named:
            self.head = without(self.head, named)

    def add_body(self, piece: bytes) -> None:
        """Take in a part of the body.

        Raises:
            RequestRefusedError: it is too large.
        """
        self.body_size += len(piece)
        if self.body_size > self._body_limit:
            raise self._too_large()
        if not self.body:
            self.body = piece
        elif self._more_body is None:
            self._more_body = [piece]
        else:
            self._more_body.append(piece)

    def end_body(self) -> None:
        """The request is complete."""
        if self._more_body is not None:
            self.body = b"".join((self.body, *self._more_body))
            self._more_body = None

    def _too_large(self) -> RequestRefusedError:
        return RequestRefusedError(413, "body_too_large", f"The body is larger than {self._body_limit} bytes.")


class _BodyKeys(msgspec.Struct):
    """What the split looks at; everything else in the body is the engine's."""

    user: object = None
    model: object = None


_body_keys = msgspec.json.Decoder(_BodyKeys)


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
