"""Whether a replica gets requests. Pure: (standing, what happened, now) -> standing.

A replica is ejected by failures in a row or by a probe that it did not pass, and comes back when it passes one. What
users ask tells of most failures at once; a probe tells of a hang, and of an engine that nobody asks.
"""

from __future__ import annotations

import math

import msgspec

from quantdeck_core.engines.liveness import IDLE_DEADLINE_S

FAILURES_IN_A_ROW = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""Ejected again sooner after its return, it is asked after a longer pause: it may give tokens and no answers."""
PROBE_EVERY_S = 10.0
"""A replica that gave no sign of life for so long is asked for one token."""
LATE_PROBE_EVERY_S = 2.0
"""The same, where nobody has judged the experiment for a while: its users may soon have to go to the control."""
EJECTED_DEADLINE_S = 5.0
BUSY_DEADLINE_S = 30.0
"""While it works on requests a token may take longer: the question waits in its queue."""

_NOT_BROKEN = frozenset({501, 503})
"""501: the request asks for what it does not do. 503: it has too much to do, or still loads; a probe tells which."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a replica; times are monotonic, seconds.

    Attributes:
        failures: in a row; while it is ejected, as many as it had then.
        ejected: it gets no requests.
        reason: why it is ejected, in words.
        ejections: since it was first configured.
        pause_s: between the probes of an ejected one.
        probe_at: when an ejected one is asked next.
        returned_at: when it came back last.
    """

    failures: int = 0
    ejected: bool = False
    reason: str = ""
    ejections: int = 0
    pause_s: float = FIRST_PAUSE_S
    probe_at: float = 0.0
    returned_at: float = -math.inf


def is_failure(status: int) -> bool:
    """Whether an engine that answers so counts as failing. A client's mistake (4xx) says nothing against it."""
    return status >= 500 and status not in _NOT_BROKEN


def failed(standing: Standing, reason: str, now: float) -> Standing:
    """A request came to nothing because of it. What was in flight when it was ejected is not held against it again."""
    if standing.ejected:
        return standing
    counted = msgspec.structs.replace(standing, failures=standing.failures + 1)
    if counted.failures < FAILURES_IN_A_ROW:
        return counted
    return _ejected(counted, f"{counted.failures} failures in a row, the last: {reason}", now)


def answered(standing: Standing) -> Standing:
    """It answered a user. One that is ejected has to pass a probe all the same: this answer may have begun before."""
    return standing if standing.ejected else msgspec.structs.replace(standing, failures=0)


def probe_passed(standing: Standing, now: float) -> Standing:
    """It answered a probe."""
    if not standing.ejected:
        return answered(standing)
    return msgspec.structs.replace(standing, failures=0, ejected=False, reason="", returned_at=now)


def probe_failed(standing: Standing, reason: str, now: float) -> Standing:
    """It did not answer a probe, in time or at all."""
    if not standing.ejected:
        return _ejected(standing, f"its probe failed: {reason}", now)
    pause = min(2 * standing.pause_s, LONGEST_PAUSE_S)
    return msgspec.structs.replace(standing, pause_s=pause, probe_at=now + pause)


def _ejected(standing: Standing, reason: str, now: float) -> Standing:
    steady = now - standing.returned_at >= STEADY_S
    pause = FIRST_PAUSE_S if steady else min(2 * standing.pause_s, LONGEST_PAUSE_S)
    return msgspec.structs.replace(
        standing,
        ejected=True,
        reason=reason,
        failures=max(1, standing.failures),
        ejections=standing.ejections + 1,
        pause_s=pause,
        probe_at=now + pause,
    )


def probe_due(standing: Standing, last_sign: float, every_s: float, now: float) -> bool:
    """Whether to ask it for a token, while no probe is under way.

    Args:
        last_sign: when it last answered anybody, a probe or a part of a stream included, or was last asked.
        every_s: patience with one that is in rotation; 0 asks only those that are ejected.
    """
    if standing.ejected:
        return now >= standing.probe_at
    return every_s > 0 and now - last_sign >= every_s


def deadline_s(standing: Standing, in_flight: int) -> float:
    """Seconds that a probe may take."""
    if standing.ejected:
        return EJECTED_DEADLINE_S
    return BUSY_DEADLINE_S if in_flight else IDLE_DEADLINE_S


def proves_nothing(standing: Standing, *, refused: bool, lived: bool, in_flight: int, last: bool) -> bool:
    """Whether a probe without a token says nothing against a replica that is in rotation.

    Args:
        refused: it said that it has too much to do; else the probe's deadline passed.
        lived: it answered somebody while the probe waited.
        last: no other replica of its arm is in rotation. One whose slots are all taken by long answers looks like one
            that hangs; while others are there, nothing is lost by asking them instead.
    """
    if standing.ejected:
        return False
    return lived or (in_flight > 0 and (refused or last))
