"""The gateway's API keys, as a file on this host says them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from quantdeck_core.errors import InputError
from quantdeck_core.profile.toml_text import TomlError, decode_toml
from quantdeck_core.protocol.gateway import ApiKey
from quantdeck_core.protocol.keys import KeysFile, check_keys

MOST_BYTES = 4 << 20
_HINT = "`quantdeck gateway-key NAME` makes a key and prints the lines for this file."


class GatewayKeys:
    """Reads the file again when it changes; one that cannot be used leaves the keys as they were.

    Args:
        complain: called once for each change that cannot be used.

    Raises:
        InputError: the file cannot be used at all.
    """

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        self._path, self._complain = path, complain
        self._seen = self._state()
        self._keys = read_keys(path)

    def __call__(self) -> tuple[ApiKey, ...]:
        """The keys that hold now."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._keys = read_keys(self._path)
            except InputError as error:
                self._complain(f"{error.detail} The API keys stay as they were.")
        return self._keys

    def _state(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file; at least one.

    Raises:
        InputError: it cannot be read, others may write it, or it does not hold keys.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", "Check --gateway-keys.") from None
    if stat.S_IMODE(found.st_mode) & 0o022 or found.st_uid not in (0, os.geteuid()):
        raise InputError(f"Others may write {path}.", f"chown it to the agent's user or root, and chmod 600 {path}.")
    try:
        keys = decode_toml(data.decode(), KeysFile, str(path)).key
    except TomlError as error:
        raise InputError(error.detail, _HINT) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8.", _HINT) from None
    if not keys or len(data) > MOST_BYTES:
        # Half written, or emptied by mistake: that must not let everybody in.
        raise InputError(f"{path} holds no key." if not keys else f"{path} is too long.", _HINT)
    check_keys(keys)
    return keys
