"""What a judge says of a treatment, overall and of each signal."""

from __future__ import annotations

from typing import Literal

import msgspec

VerdictKind = Literal["healthy", "watch", "breach", "inconclusive", "control-unhealthy"]

SIGNALS = (
    "repetition",
    "refusal",
    "failures",
    "length",
    "garbled",
    "empty",
    "truncated",
    "ttft",
    "itl",
    "e2e",
    "long-repetition",
    "long-refusal",
    "long-length",
    "ratings",
    "tasks",
    "sessions",
)
"""What is judged, in the order of the judge; `long-` is of prompts above 2,000 tokens."""


SAID_BY_USERS = frozenset({"ratings", "tasks", "sessions"})
"""Feedback, which clients send for some answers only."""


class Verdict(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the treatment does.

    Attributes:
        kind: with `control-unhealthy`, which both arms may be, nothing should move, and a person should look.
        signal: what decided, e.g. `repetition`; empty where nothing stands out.
        reason: one sentence for a person.
        needed: answers still missing for a verdict.
    """

    kind: VerdictKind
    reason: str
    signal: str = ""
    needed: int = 0


HEALTHY = Verdict(kind="healthy", reason="as good as the control")


def percent(share: float) -> str:
    """0.096 as ``9.6 %``."""
    return f"{share * 100:.1f} %"
