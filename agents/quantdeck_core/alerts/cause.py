"""What makes two alarms the same cause: one cause is one page, however often it is raised."""

from __future__ import annotations

import re
from hashlib import sha256

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_DIGITS = 12
MOST_KEY = 255
"""PagerDuty's limit for a `dedup_key` (Events API v2)."""


def without_numbers(text: str) -> str:
    """``silent for 63 s`` and ``silent for 64 s`` are the same."""
    return _NUMBER.sub("#", text)


def cause_of(key: str, text: str) -> str:
    """An alarm's own key; where it has none, its words without their numbers: `after 63 s` is `after 64 s`."""
    if key:
        return key
    return f"event-{sha256(without_numbers(text).encode()).hexdigest()[:_DIGITS]}"


def page_key(host: str, experiment: str, cause: str) -> str:
    """What receivers know a page by: `host/experiment/cause`, `-` where it is about no experiment."""
    key = f"{host}/{experiment or '-'}/{cause}"
    if len(key) <= MOST_KEY:
        return key
    return f"{key[: MOST_KEY - _DIGITS - 1]}-{sha256(key.encode()).hexdigest()[:_DIGITS]}"
