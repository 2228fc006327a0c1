"""Lengths of time as people write and read them."""

from __future__ import annotations

import re

from quantdeck_core.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_duration(text: str) -> float:
    """``"24h"``, ``"90m"``, ``"20s"``, ``"2d"`` to seconds.

    Raises:
        InputError: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?(s|m|h|d)", text.strip(), re.ASCII)
    if not found:
        raise InputError(f"{text!r} is not a length of time.", 'Write a number and s, m, h or d, for example "24h".')
    return float(found.group(1)) * _SECONDS[found.group(2)]


def spoken(seconds: float) -> str:
    """Seconds as ``45 s``, ``12 min``, ``3 h 20 min``, ``24 h``; whole units only, rounded down."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
