"""TLS to engines that somebody else runs."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def client_context() -> ssl.SSLContext:
    """Certificates and host names are verified against the system's authorities, or those of `SSL_CERT_FILE`.

    Made once: reading the system's authorities takes tens of milliseconds.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
