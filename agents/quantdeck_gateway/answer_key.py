"""The secret that signs answer ids: kept beside the config, so that a restart does not forget what was answered."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path

from quantdeck_core.errors import InputError
from quantdeck_gateway.answer_id import KEY_BYTES, new_key

log = logging.getLogger("quantdeck.gateway")


def answer_key(config_path: Path | None) -> bytes:
    """The key of the file beside a config; a new one where there is no file yet, or no config.

    Raises:
        InputError: the file is not what was written, or others may read it.
    """
    if config_path is None:
        return new_key()
    path = config_path.with_suffix(".key")
    try:
        return _read(path) or _create(path)
    except OSError as error:
        log.warning("cannot keep %s (%s): ratings of answers end with this process", path, error.strerror)
        return new_key()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(key) != KEY_BYTES:
        raise InputError(f"{path} is no key of {KEY_BYTES} bytes.", "Remove it; a new one is made.")
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(f"Others may read {path}.", f"chmod 600 {path}, or remove it: a new one is made.")
    return key


def _create(path: Path) -> bytes:
    """Written beside and linked into place: of several processes one wins, and none reads half a key."""
    key, temporary = new_key(), path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    return _read(path) or key
