"""The log of an engine's start, as far as it says what was allocated."""

from __future__ import annotations

import os
from pathlib import Path

from quantdeck_core.errors import InputError

_HALF = 16 << 20
"""Bytes at each end of a log that are read: a start is at its beginning, or not far from its end."""


def engine_log(path: Path) -> str:
    """Its text; of a very long one both ends.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if not os.path.isfile(path):
        raise InputError(f"There is no file {path}.", "Name the file that the engine's output goes to.")
    try:
        with path.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size
            beginning = file.read(_HALF)
            file.seek(max(len(beginning), whole - _HALF))
            return (beginning + file.read(_HALF)).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}.", "Check the path and who may read it."
        ) from None
