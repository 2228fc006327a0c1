"""Why a connection to an engine did not come about, in words, and whose fault it is."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import NamedTuple

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class Unreachable(NamedTuple):
    """What to tell the client.

    Attributes:
        status: 502, or 503 where this host ran out of something.
        code: of the error object.
        reason: continues "the engine ...".
        ours: it says nothing against the engine, and another one would not be reached either.
    """

    status: int
    code: str
    reason: str
    ours: bool = False


GONE_MEANWHILE = Unreachable(502, "engine_unreachable", "does not answer and gets no requests")
"""It was ejected while a request waited to connect to it."""


def unreachable(error: OSError, host: str) -> Unreachable:
    """What a failed connection to `host` means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"has a certificate that cannot be trusted: {error.verify_message}"
        return Unreachable(502, "engine_tls", reason.rstrip("."))
    if isinstance(error, ssl.SSLError):
        return Unreachable(502, "engine_tls", f"speaks no TLS that is understood here: {error.strerror}")
    if isinstance(error, socket.gaierror):
        return Unreachable(502, "engine_unreachable", "has a host name that is not known here")
    # EADDRNOTAVAIL: no local port is left. Of an IPv6 address it says that this host has no IPv6.
    if error.errno in _OURS or (error.errno == errno.EADDRNOTAVAIL and ":" not in host):
        return Unreachable(
            503, "gateway_exhausted", "could not be asked: this host is out of files or ports", ours=True
        )
    if isinstance(error, TimeoutError):
        return Unreachable(502, "engine_unreachable", "did not accept a connection in time")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(502, "engine_unreachable", "does not accept connections")
    why = f": {error.strerror}" if error.strerror else ""  # several addresses have no reason in common
    return Unreachable(502, "engine_unreachable", f"cannot be reached{why}")
