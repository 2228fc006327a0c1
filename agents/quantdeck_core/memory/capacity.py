"""Largest context and largest concurrency that still fit."""

from __future__ import annotations

from collections.abc import Callable


def largest(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number from 1 to `limit` that fits, 0 where 1 does not. What fits must still fit when it is less."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
