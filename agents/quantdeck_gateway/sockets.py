"""Listening sockets."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from quantdeck_core.errors import InputError, PortInUseError

BACKLOG = 4096


def listen_tcp(host: str, port: int, workers: int = 1) -> list[socket.socket]:
    """Listening TCP sockets on one address, one for each worker: the kernel spreads connections over them.

    Raises:
        PortInUseError: somebody else listens there.
        InputError: the address is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"Cannot find {host}: {error.strerror}.", "Listen on 127.0.0.1.") from None
    listeners: list[socket.socket] = []
    try:
        # Sockets that share a port share it with every other process of this user: a second gateway would take part
        # of the first one's clients. A socket that does not share finds out.
        if workers > 1:
            with _bound(family, address, share=False) as alone:
                address = alone.getsockname()
        for _ in range(workers):
            listeners.append(_bound(family, address, share=workers > 1))
            address = listeners[0].getsockname()
        for listener in listeners:
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} on {host} is in use by another process.",
                f"Choose another port, or find the process with `ss -ltnp 'sport = :{port}'`.",
            ) from None
        raise InputError(f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another address.") from None
    return listeners


def _bound(family: int, address: tuple[object, ...], *, share: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


class UnixListener:
    """A listening Unix socket that only its owner may use. Nobody finds it until it is published.

    Raises:
        InputError: the path is too long, or its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._temporary = temporary = path.with_name(f"{path.name}.{os.getpid()}")
        # Bound beside and moved into place, with the mask in force: at no time can another user connect.
        mask = os.umask(0o177)
        try:
            self.socket.setblocking(False)
            temporary.unlink(missing_ok=True)
            self.socket.bind(str(temporary))
            self.socket.listen(BACKLOG)
            self._inode = temporary.stat().st_ino
        except OSError as error:
            self.socket.close()
            reason = error.strerror or str(error)
            raise InputError(
                f"Cannot listen on {path}: {reason}.", "Its folder must exist; 100 bytes at most."
            ) from None
        finally:
            os.umask(mask)

    def publish(self) -> None:
        """Put it in its place, and in that of one that a dead or an older process has there.

        Raises:
            InputError: the folder cannot be written any more.
        """
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            raise InputError(f"Cannot listen on {self.path}: {error.strerror}.", "Check its folder.") from None

    def in_place(self) -> bool:
        """Whether it is found there: no other process has put its own there, and nobody removed it."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Listen no more, and remove the file unless another process has put its own there."""
        self.socket.close()
        self._temporary.unlink(missing_ok=True)
        if self.in_place():
            self.path.unlink(missing_ok=True)
