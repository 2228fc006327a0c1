"""The agent's Unix sockets, one a role."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from quantdeck_core.errors import InputError

_MAX_PATH = 100
"""The kernel has room for 107 bytes, other systems for a few less."""


def listen(path: Path) -> socket.socket:
    """A listening socket that this user and group may open.

    Raises:
        InputError: the path is too long for a socket.
    """
    if len(os.fsencode(path)) > _MAX_PATH:
        raise InputError(
            f"{path} is too long for a Unix socket ({len(os.fsencode(path))} bytes, at most {_MAX_PATH}).",
            "Give a shorter --runtime folder.",
        )
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(128)
    return listener
