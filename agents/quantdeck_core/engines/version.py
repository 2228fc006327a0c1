"""Versions of engines, compared as numbers: `0.33.0`, `0.33.0+cpu`, `b11549`, `2026.10.11549`."""

from __future__ import annotations

import functools
import re

from quantdeck_core.errors import InputError

_VERSION = re.compile(r"^[vb]?(\d{1,9}(?:\.\d{1,9}){0,4})(?:[+.a-z-][0-9A-Za-z.+-]*)?$")


@functools.lru_cache(1024)
def version_key(text: str) -> tuple[int, ...]:
    """What two versions are compared by; what follows the numbers (`+cpu`, `rc1`, `.post1`) does not count.

    Raises:
        InputError: it is no version.
    """
    found = _VERSION.match(text.strip().lower())
    if found is None:
        raise InputError(f"{text!r} is no version of an engine.", "Write it as 0.33.0 or, for llama.cpp, b11549.")
    numbers = [int(number) for number in found.group(1).split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()  # 0.33 and 0.33.0 are the same
    return tuple(numbers)
