"""What to do about a log file: a decision, made from its size, its age and the room on the disk."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

MAX_BYTES = 16 << 20
KEPT = 3
TAIL_BYTES = 1 << 20
"""Where there is no room for a copy, so much of the end is kept."""
ROOM_BYTES = 256 << 20
"""Left free for whoever needs the disk more: no copy is made below."""
KEPT_ENGINES = 50
KEPT_S = 30 * 86_400.0

Step = Literal["leave", "rotate", "cut"]


@dataclass(frozen=True)
class Limits:
    """How much a host keeps.

    Attributes:
        max_bytes: a file that has so much is rotated away.
        kept: copies of one log, 1 at least, `.1` the newest. One source takes at most `(kept + 1) x most_bytes` and
            what is written between two looks.
        most_bytes: a file that has so much grew too fast: it is shortened to `max_bytes` before it is rotated, so that
            no copy is larger.
        tail_bytes: what is kept of a file that is cut since the disk is full.
        room_bytes: free bytes of the disk below which files are cut instead of copied.
        engines: logs of engines that are gone, the newest.
        age_s: and not older than so many seconds.
    """

    max_bytes: int = MAX_BYTES
    kept: int = KEPT
    most_bytes: int = 2 * MAX_BYTES
    tail_bytes: int = TAIL_BYTES
    room_bytes: int = ROOM_BYTES
    engines: int = KEPT_ENGINES
    age_s: float = KEPT_S


@dataclass(frozen=True)
class Found:
    """The log of one source, with the UNIX time of its last write."""

    source: str
    written_at: float


def step_for(size: int, free: int, limits: Limits) -> Step:
    """What to do about one file that is being written, given the free bytes of its disk."""
    if size < limits.max_bytes:
        return "leave"
    return "rotate" if free - size >= limits.room_bytes else "cut"


def outdated(found: Collection[Found], live: Collection[str], now: float, limits: Limits) -> list[str]:
    """Sources whose logs may go: engines that are gone, beyond the number or the age that is kept."""
    gone = [one for one in found if one.source.startswith("engine:") and one.source not in live]
    gone.sort(key=lambda one: (-one.written_at, one.source))
    return [
        one.source for number, one in enumerate(gone) if number >= limits.engines or now - one.written_at > limits.age_s
    ]
