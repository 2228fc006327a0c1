"""API keys of a gateway: how they look, and how they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import ApiKey

KEY_PREFIX = "qd-"
"""So that scanners for leaked secrets, and people, know one when they see it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


class KeysFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `quantdeck agent run --gateway-keys FILE` reads, as TOML."""

    key: tuple[ApiKey, ...] = ()


def digest_of(token: bytes) -> str:
    """What is kept of a key. Keys are random and long, so that they need no slow hash."""
    return sha256(token).hexdigest()


def check_keys(keys: Iterable[ApiKey]) -> None:
    """Refuse what the types cannot.

    Raises:
        InputError: a name or a hash that is none, or that is there twice.
    """
    names: set[str] = set()
    digests: set[str] = set()
    for key in keys:
        if not _NAME.fullmatch(key.name):
            raise InputError(
                f"{key.name!r} is no name for an API key.", "Letters, digits, dots, dashes; 64 at most: mobile-app."
            )
        if not _HASH.fullmatch(key.sha256):
            raise InputError(
                f"The sha256 of the API key {key.name!r} is not 64 lower-case hex digits.",
                f"`quantdeck gateway-key {key.name}` makes a key and prints its hash.",
            )
        if key.name in names or key.sha256 in digests:
            raise InputError(f"The API key {key.name!r} is there twice.", "Give each client a key of its own.")
        names.add(key.name)
        digests.add(key.sha256)
