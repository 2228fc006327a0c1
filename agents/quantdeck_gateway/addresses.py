"""Addresses as users write them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from quantdeck_core.errors import InputError

_PORTS = {"http": 80, "https": 443}


class UpstreamAddress(NamedTuple):
    """Where an engine listens: `path` has no slash at its end, `authority` is the Host field."""

    host: str
    port: int
    path: str
    authority: str
    tls: bool


def split_url(url: str) -> UpstreamAddress:
    """The parts of an engine's base URL.

    Raises:
        InputError: it is neither http nor https, or has parts that a base URL has not.
    """
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        (parts.hostname or "").encode("idna")  # as the resolver will
    except (ValueError, KeyError):
        raise _bad_url(url) from None
    plain = url.isascii() and url.isprintable() and " " not in url and parts.scheme in _PORTS
    if not plain or not port or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise _bad_url(url)
    return UpstreamAddress(parts.hostname, port, parts.path.rstrip("/"), parts.netloc, parts.scheme == "https")


def split_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT` in two; port 0 lets the system choose.

    Raises:
        InputError: it is not that.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT.", "For example 127.0.0.1:8000.")
    return host, int(port)


def _bad_url(url: str) -> InputError:
    return InputError(f"{url!r} is not an engine's address.", "For example http://127.0.0.1:9001 or https://host/base.")
