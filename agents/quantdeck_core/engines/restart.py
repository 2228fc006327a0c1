"""When an engine that ended is started again: at once, later, or not any more. Pure: (starts, now) -> decision."""

from __future__ import annotations

from typing import NamedTuple

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 300.0
FACTOR = 2.0
_MOST_DOUBLINGS = 32
"""The longest pause comes long before; after days of failures the power would be no number any more."""
STARTS, WITHIN_S = 5, 10.0
"""So many starts in so many seconds, and the last one ended too: it will not get better by itself."""
STABLE_S = 600.0
"""An engine that was up for so long has earned a clean record."""


class Restarts(NamedTuple):
    """What is remembered of a replica's starts.

    Attributes:
        starts: monotonic times of the last starts, seconds, oldest first.
        failures: ends in a row that nobody asked for.
    """

    starts: tuple[float, ...] = ()
    failures: int = 0


class Again(NamedTuple):
    """Start it again.

    Attributes:
        pause_s: to wait before.
    """

    pause_s: float


class GiveUp(NamedTuple):
    """Leave it ended until somebody acts."""

    reason: str


def started(known: Restarts, now: float) -> Restarts:
    """After a start at a monotonic time."""
    return known._replace(starts=(*known.starts, now)[-STARTS:])


def ended(known: Restarts, up_s: float) -> Restarts:
    """After an end that nobody asked for.

    Args:
        up_s: seconds for which it had been ready; 0 where it never was.
    """
    if up_s >= STABLE_S:
        return Restarts(starts=known.starts[-1:], failures=1)
    return known._replace(failures=known.failures + 1)


def decide(known: Restarts, now: float) -> Again | GiveUp:
    """What to do after `ended`, at a monotonic time: 0.1 s later, then twice as long each time, up to five minutes."""
    in_a_row = [start for start in known.starts if now - start <= WITHIN_S]
    if known.failures >= STARTS and len(in_a_row) >= STARTS:
        return GiveUp(f"gave up after {STARTS} starts within {WITHIN_S:.0f} s")
    doublings = min(max(0, known.failures - 1), _MOST_DOUBLINGS)
    return Again(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * FACTOR**doublings))
