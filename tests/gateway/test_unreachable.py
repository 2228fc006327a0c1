"""Why an engine could not be reached, and whose fault that is."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from quantdeck_gateway.unreachable import unreachable


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (failure(errno.ECONNREFUSED), "engine_unreachable", "does not accept connections"),
        (failure(errno.ETIMEDOUT), "engine_unreachable", "did not accept a connection in time"),
        (TimeoutError(), "engine_unreachable", "did not accept a connection in time"),
        (failure(errno.ENETUNREACH), "engine_unreachable", "cannot be reached: Network is unreachable"),
        (OSError("Multiple exceptions: ('10.0.0.1', 1), ..."), "engine_unreachable", "cannot be reached"),
        (socket.gaierror(-2, "unknown"), "engine_unreachable", "has a host name that is not known here"),
        (ssl.SSLError(1, "[SSL] odd"), "engine_tls", "speaks no TLS that is understood here"),
    ],
)
def test_the_engines_fault(error: OSError, code: str, words: str) -> None:
    found = unreachable(error, "10.0.0.1")
    assert (found.status, found.code, found.ours) == (502, code, False)
    assert found.reason.startswith(words)
    assert "10.0.0.1" not in found.reason, "clients learn nothing of the network behind"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL])
def test_running_out_of_files_or_ports_says_nothing_against_an_engine(number: int) -> None:
    found = unreachable(failure(number), "127.0.0.1")
    assert (found.status, found.code, found.ours) == (503, "gateway_exhausted", True)


def test_a_host_without_ipv6_has_not_run_out_of_ports() -> None:
    assert not unreachable(failure(errno.EADDRNOTAVAIL), "::1").ours
