"""Loopback ports for engines and the gateway."""

from __future__ import annotations

import socket

import psutil

from quantdeck_core.errors import InputError, PortInUseError

LOOPBACK = "127.0.0.1"


def free_port(wanted: int = 0) -> int:
    """A port nobody listens on.

    Args:
        wanted: a fixed one, or 0 for any.

    Raises:
        PortInUseError: the fixed one is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            raise PortInUseError(
                f"Port {wanted} on {LOOPBACK} is taken by another process.",
                "Stop that one, or choose another port (serve.port in a profile, 0 for any).",
            ) from None
        return int(probe.getsockname()[1])


def listens(process: psutil.Process, port: int) -> bool:
    """Whether it is this very process that listens there, and not a stale one that would answer in its place."""
    try:
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in process.net_connections(kind="tcp")
        )
    except psutil.Error:
        return False


def split_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` in two.

    Raises:
        InputError: it is not that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"{text!r} is not HOST:PORT.", "For example 127.0.0.1:8022.")
    return host, int(port)
