"""When a message that was not taken is sent again, and when it is not."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

FIRST_S, MOST_S = 1.0, 60.0
"""The pause doubles from one to the other; half of it is left to chance, so that many hosts do not come at once
("Exponential Backoff And Jitter", AWS Architecture Blog, 2015: equal jitter)."""
RETRY_AFTER_MOST_S = 900.0
"""A receiver may ask for that much (RFC 9110, 10.2.3); it cannot silence a pager for a day."""
KEPT_S = 86_400.0
"""A message that nobody took for so long says nothing any more."""

AGAIN = frozenset({408, 425, 429})
"""Beside 5xx: the request was right and came at the wrong moment. Of PagerDuty's and Slack's 4xx only 429 is one."""
Outcome = Literal["taken", "again", "refused"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt went.

    Attributes:
        problem: in words, empty where it was taken; never holds an address or a key.
        retry_after_s: seconds that the receiver asked for.
    """

    outcome: Outcome
    problem: str = ""
    retry_after_s: float | None = None


def judge_status(status: int, retry_after: str | None, now: float) -> Attempt:
    """An HTTP answer at a UNIX time. A redirect is refused: a secret address is not sent elsewhere."""
    if 200 <= status < 300:
        return Attempt(outcome="taken")
    again = status >= 500 or status in AGAIN
    return Attempt(
        outcome="again" if again else "refused",
        problem=f"it answered with HTTP {status}",
        retry_after_s=retry_after_s(retry_after, now) if again else None,
    )


def retry_after_s(header: str | None, now: float) -> float | None:
    """Seconds of a Retry-After, a number or a date; None where there is none or it says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), RETRY_AFTER_MOST_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MOST_S)


def pause_s(failures: int, chance: float, asked_s: float | None = None) -> float:
    """Seconds before the next attempt.

    Args:
        failures: in a row, from 1.
        chance: from 0 to 1.
        asked_s: what the receiver asked for; never undercut.
    """
    full = min(MOST_S, FIRST_S * 2.0 ** min(failures - 1, 30))
    return max(full * (0.5 + chance / 2), asked_s or 0.0)
