"""Consecutive numbers as bytes: formatting one takes longer than everything else that is done with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

_LOW = tuple(b"%02x" % low for low in range(256))


def numbered(prefix: bytes, digits: int) -> Iterator[bytes]:
    """The prefix with 1, 2, 3 ... after it, in lower-case hexadecimal digits, for ever.

    Args:
        digits: the least number of them, 2 and more.
    """
    numbers = (start + low for high in itertools.count() for start in [_start(prefix, digits, high)] for low in _LOW)
    next(numbers)  # 0 is no number
    return numbers


def _start(prefix: bytes, digits: int, high: int) -> bytes:
    return b"%b%0*x" % (prefix, digits - 2, high)
