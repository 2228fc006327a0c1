"""Who may ask: API keys, known by their hashes."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_core.protocol.gateway import ApiKey, Priority
from quantdeck_core.protocol.keys import digest_of

_REMEMBERED = 4096
"""Header values whose key is known without hashing; when there are more, all are forgotten."""
_MAX_BYTES = 512
_SCHEME = b"bearer "


class Key:
    """A client that may ask.

    Attributes:
        requests: that came with it, since the gateway started.
    """

    __slots__ = ("name", "priority", "requests")

    def __init__(self, name: str) -> None:
        self.name = name
        self.priority: Priority = "normal"
        self.requests = 0


class Keys:
    """All keys of a config.

    Args:
        required: refuse who has no key even while none is configured: other machines reach this gateway.

    Attributes:
        asked: whether a request needs a key.
        refused: requests that came without one, or with one that is not known.
    """

    def __init__(self, *, required: bool = False) -> None:
        self._required = self.asked = required
        self.refused = 0
        self._by_name: dict[str, Key] = {}
        self._by_digest: dict[str, Key] = {}
        self._remembered: dict[bytes, Key] = {}

    def apply(self, keys: Iterable[ApiKey]) -> None:
        """Only these hold from the next request on; counters stay with the name."""
        self._by_digest = {}
        for one in keys:
            key = self._by_name.setdefault(one.name, Key(one.name))
            key.priority = one.priority
            self._by_digest[one.sha256] = key
        self._remembered = {}
        self.asked = self._required or bool(self._by_digest)

    def lookup(self, authorization: bytes, x_api_key: bytes = b"") -> Key | None:
        """The key of a request, by its `Authorization: Bearer` or else its `x-api-key`; None where neither holds."""
        key = self._remembered.get(authorization) or self._find(authorization)
        if key is None and x_api_key:
            value = _SCHEME + x_api_key
            key = self._remembered.get(value) or self._find(value)
        return key

    def _find(self, value: bytes) -> Key | None:
        scheme, token = value[: len(_SCHEME)], value[len(_SCHEME) :].strip()
        if scheme.lower() != _SCHEME or len(token) > _MAX_BYTES:
            return None
        key = self._by_digest.get(digest_of(token))
        if key is not None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[value] = key
        return key

    def all(self) -> tuple[Key, ...]:
        """Also keys that hold no longer; their counters stay."""
        return tuple(self._by_name.values())
