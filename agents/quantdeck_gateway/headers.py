"""Which header fields cross the gateway, and which it looks at itself."""

from __future__ import annotations

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, 7.6.1: they speak about one connection."""

REQUEST_HANDLED = HOP_BY_HOP | {
    b"accept-encoding",  # never forwarded: the analyser reads the answer, so it must come uncompressed
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"expect",
    b"host",
    b"x-api-key",
    b"x-quantdeck-priority",
    b"x-quantdeck-segment",
    b"x-quantdeck-variant",
    b"x-request-id",
    b"x-user-id",
}
"""Request fields that are looked at; all others are forwarded as they are."""

RESPONSE_HANDLED = HOP_BY_HOP | {
    b"content-length",
    b"content-type",
    b"x-quantdeck-answer",
    b"x-quantdeck-degraded",
    b"x-quantdeck-revision",
    b"x-quantdeck-rewritten",
    b"x-quantdeck-variant",
    b"x-request-id",
}
"""Answer fields that are looked at; all others are forwarded as they are."""

Fields = list[bytes]
"""A header as flat pieces: name, separator, value, line end; joined once."""

_MOST_SPELLINGS = 1024
_LONGEST_SPELLING = 64


class Handled:
    """Which of the fields are looked at, by their names as clients spell them.

    Attributes:
        known: from a spelling to the lower-case name where the gateway looks at it, else to nothing. A plain dictionary
            that is asked first: one of a class of its own takes three times as long.
    """

    def __init__(self, handled: frozenset[bytes]) -> None:
        self.known: dict[bytes, bytes] = {}
        self._handled = handled

    def learn(self, name: bytes) -> bytes:
        """What a new spelling stands for; few are remembered, since clients choose them."""
        lowered = name.lower()
        found = lowered if lowered in self._handled else b""
        if len(name) <= _LONGEST_SPELLING:
            if len(self.known) >= _MOST_SPELLINGS:
                self.known.clear()
            self.known[name] = found
        return found


def without(fields: Fields, names: frozenset[bytes]) -> Fields:
    """The fields but those named (in lower case)."""
    kept: Fields = []
    for at in range(0, len(fields), 4):
        if fields[at].lower() not in names:
            kept += fields[at : at + 4]
    return kept


def tokens(value: bytes) -> frozenset[bytes]:
    """A comma-separated list, in lower case."""
    return frozenset(token.strip() for token in value.lower().split(b",") if token.strip())


def is_event_stream(content_type: bytes) -> bool:
    """Whether an answer is a stream of server-sent events."""
    return content_type[:17].lower() == b"text/event-stream"
