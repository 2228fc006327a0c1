"""The agent's Unix sockets, one a role."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from quantdeck_core.errors import ConflictError, InputError

_MAX_PATH = 100
"""The kernel has room for 107 bytes, other systems for a few less."""


def listen(path: Path) -> socket.socket:
    """A listening socket that this user and group may open.

    Raises:
        InputError: the path is too long for a socket, or cannot be made.
        ConflictError: another agent listens there.
    """
    if len(os.fsencode(path)) > _MAX_PATH:
        raise InputError(
            f"{path} is too long for a Unix socket ({len(os.fsencode(path))} bytes, at most {_MAX_PATH}).",
            "Give a shorter --runtime folder.",
        )
    if _answers(path):
        raise ConflictError(
            f"Somebody listens on {path} already.", "Stop that agent first, or give this one another --runtime folder."
        )
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)  # of an agent that was killed
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise InputError(
            f"Cannot listen on {path}: {error.strerror}.", "Give the agent's user the right to write its folder."
        ) from None
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
