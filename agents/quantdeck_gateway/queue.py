"""Requests that wait for a place: first come first served within a priority, every operation in constant time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from quantdeck_core.protocol.gateway import Priority

RANK: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}
"""Smaller goes first."""


def lowered(granted: Priority, wanted: bytes) -> Priority:
    """The priority of a request that asks for another one: a lower one is given, a higher one is not."""
    return next((name for name in RANK if wanted == name.encode() and RANK[name] > RANK[granted]), granted)


class Waiting(Protocol):
    """A request that waits.

    Attributes:
        size: bytes that it holds.
        since: when it came, seconds on a steady clock.
    """

    priority: Priority
    size: int
    since: float


W = TypeVar("W", bound=Waiting)


class Queue(Generic[W]):
    """A line for each priority.

    Attributes:
        bytes: what all who wait hold.
    """

    def __init__(self) -> None:
        # Not plain dicts: looking for the first key of one skips all that were taken before it.
        self._lines: tuple[OrderedDict[W, None], ...] = tuple(OrderedDict() for _ in RANK)
        self.bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._lines))

    def lengths(self) -> tuple[int, int, int]:
        """By priority, high first."""
        high, normal, low = self._lines
        return len(high), len(normal), len(low)

    def push(self, one: W) -> None:
        """At the end of its line."""
        self._lines[RANK[one.priority]][one] = None
        self.bytes += one.size

    def pop(self) -> W | None:
        """Who is next: of the highest priority that came first."""
        for line in self._lines:
            if line:
                return self._taken(line.popitem(last=False)[0])
        return None

    def remove(self, one: W) -> bool:
        """Take out one that left; whether it still waited."""
        line = self._lines[RANK[one.priority]]
        if one not in line:
            return False
        del line[one]
        self._taken(one)
        return True

    def youngest_low(self) -> W | None:
        """Who would be given up for a request of high priority; it stays until it is removed."""
        return next(reversed(self._lines[-1]), None)

    def older_than(self, moment: float) -> Iterator[W]:
        """Take out all who came before a moment."""
        for line in self._lines:
            while line and next(iter(line)).since < moment:
                yield self._taken(line.popitem(last=False)[0])

    def _taken(self, one: W) -> W:
        self.bytes -= one.size
        return one
