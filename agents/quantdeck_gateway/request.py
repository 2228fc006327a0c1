"""One request of a client, as far as the gateway looks at it."""

from __future__ import annotations

import msgspec

from quantdeck_gateway.headers import HOP_BY_HOP, REQUEST_HANDLED, Fields, add_field, tokens, without

_IDENTITY = frozenset({b"identity"})


class RequestRefusedError(Exception):
    """A request that is answered with an error, after which its connection ends."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Request:
    """A request while and after it is read.

    Attributes:
        path: without a query; queries are not forwarded.
        head: the header lines that are forwarded upstream as they came.
        user: `x-user-id`, empty without one.
        http_10: chunked answers must not be used.
    """

    # Defaults of the class and not of each request: most requests never touch most of them.
    method = b""
    url = b""
    path = b""
    head = b""
    user = b""
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

    def __init__(self) -> None:
        self.body_pieces: list[bytes] = []

    def read_header(self, fields: list[tuple[bytes, bytes]], body_limit: int) -> bool:
        """Take in the header; False where `read_connection` must follow.

        Raises:
            RequestRefusedError: the body is too large or compressed, or it expects what we do not do.
        """
        forwarded: Fields = []
        for name, value in fields:
            name = name.lower()
            if name in REQUEST_HANDLED:
                self._handle(name, value, body_limit, forwarded)
            else:
                forwarded += (name, b": ", value, b"\r\n")
        self._forwarded = forwarded
        self.head = b"".join(forwarded)
        return self.hosts == 1 and self.keep_alive and not self.connection

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
            self.head = b"".join(without(self._forwarded, named))

    def _handle(self, name: bytes, value: bytes, body_limit: int, forwarded: Fields) -> None:
        if name == b"x-user-id":
            self.user = value
            add_field(forwarded, name, value)
        elif name == b"host":
            self.hosts += 1
        elif name == b"content-length":
            if int(value) > body_limit:
                raise too_large(body_limit)
        elif name == b"x-request-id":
            self.request_id = value
        elif name == b"authorization":
            self.authorization = value
        elif name == b"connection":
            self.connection = value
        elif name == b"content-encoding" and tokens(value) - _IDENTITY:
            raise RequestRefusedError(415, "unsupported_encoding", "Compressed request bodies are not accepted.")
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise RequestRefusedError(417, "expectation_failed", "Only 'Expect: 100-continue' is understood.")
            self.expects_continue = True


def too_large(body_limit: int) -> RequestRefusedError:
    """The refusal of a body beyond the limit."""
    return RequestRefusedError(413, "body_too_large", f"The body is larger than {body_limit} bytes.")


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
