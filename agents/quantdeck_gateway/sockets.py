"""Listening sockets."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from quantdeck_core.errors import InputError, PortInUseError

BACKLOG = 4096


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        PortInUseError: somebody else listens there.
        InputError: the address is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"Cannot find {host}: {error.strerror}.", "Listen on 127.0.0.1.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} on {host} is in use by another process.",
                f"Choose another port, or find the process with `ss -ltnp 'sport = :{port}'`.",
            ) from None
        raise InputError(f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another address.") from None
    return listener


class UnixListener:
    """A listening Unix socket that only its owner may use; it takes the place of one that a dead process left.

    Raises:
        InputError: the path is too long, or its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        # Bound beside and moved into place, with the mask in force: at no time can another user connect.
        mask = os.umask(0o177)
        try:
            self.socket.setblocking(False)
            temporary.unlink(missing_ok=True)
            self.socket.bind(str(temporary))
            self.socket.listen(BACKLOG)
            self._inode = temporary.stat().st_ino
            temporary.replace(path)
        except OSError as error:
            self.socket.close()
            reason = error.strerror or str(error)
            raise InputError(
                f"Cannot listen on {path}: {reason}.", "Its folder must exist; 100 bytes at most."
            ) from None
        finally:
            os.umask(mask)

    def close(self) -> None:
        """Listen no more, and remove the file unless another process has put its own there."""
        self.socket.close()
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except OSError:
            pass  # somebody removed it already
