"""Hands finished answers to the analyser: batched, bounded, never waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from quantdeck_gateway.handover import FinishedAnswer, Handed, RatedAnswer, encode_batch
from quantdeck_gateway.limits import KIB, TEE_BYTES
from quantdeck_gateway.routing import Placement

BATCH_S = 0.05
MOST_PER_S = 1_000
"""Answers a second that are analysed. No judge needs more, and users' answers go first."""
WHOLE = 65_536
"""A share of all users, as `Placement.sample` counts."""
BATCH_BYTES = 512 * KIB
"""More at once would hold up the answers that pass meanwhile."""
_LEAST_SHARE = WHOLE // 64
_MIX = 40_503  # 2**16 / golden ratio: spreads consecutive numbers
_ANSWER_BYTES = 300
"""What an answer costs besides its text."""


class Outlet(Protocol):
    """The way to the analyser."""

    def ready(self) -> bool:
        """Whether the next batch may be written."""

    def write(self, data: bytes) -> None:
        """Send a batch."""


def next_share(share: int, answers: int, behind: bool) -> int:
    """The share of users whose answers are analysed in the next second.

    Args:
        share: in the last one, of `WHOLE`.
        answers: that ended in the last one, analysed or not.
        behind: the analyser had not read what it was given.
    """
    share = max(share // 2, _LEAST_SHARE) if behind else min(2 * share, WHOLE)
    return share if answers <= MOST_PER_S else min(share, WHOLE * MOST_PER_S // answers)


class Tee:
    """Collects answers and writes them out 20 times a second.

    When there are too many it takes those of a sample of the users, the same of both variants, so that what is judged
    stays comparable.

    Attributes:
        dropped: answers that were lost because the analyser was behind or died.
        sampled_out: answers of users outside the sample.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, outlet: Outlet, limit: int = TEE_BYTES) -> None:
        self.dropped = self.sampled_out = 0
        self._loop, self._outlet, self._limit = loop, outlet, limit
        self._share = WHOLE
        self._ended = self._taken = 0
        self._behind = False
        self._waiting: list[tuple[int, Handed]] = []
        self._waiting_bytes = 0
        self._leaving: deque[int] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def wants(self, placement: Placement | None) -> bool:
        """Whether an answer that ended is in the sample; counted where not."""
        self._ended += 1
        if self._share < WHOLE:
            sample = placement.sample if placement else self._ended * _MIX % WHOLE
            if sample >= self._share:
                self.sampled_out += 1
                return False
        self._taken += 1
        if self._taken == MOST_PER_S:  # before the second is over
            self._share, self._taken = max(self._share // 4, 1), 0
        return True

    def tick(self) -> None:
        """A second has passed."""
        self._share = next_share(self._share, self._ended, self._behind)
        self._ended, self._taken, self._behind = 0, 0, False

    def offer(self, answer: FinishedAnswer) -> None:
        """Take an answer, or drop and count it."""
        if not self._take(answer, len(answer.body) + len(answer.prompt or b"") + _ANSWER_BYTES):
            self.dropped += 1

    def offer_rating(self, rating: RatedAnswer) -> bool:
        """Take a rating; False where there is no room for it."""
        return self._take(rating, _ANSWER_BYTES)

    def _take(self, handed: Handed, size: int) -> bool:
        if self._waiting_bytes + size > self._limit:
            return False
        self._waiting.append((size, handed))
        self._waiting_bytes += size
        if self._timer is None:
            self._timer = self._loop.call_later(BATCH_S, self.flush)
        return True

    def flush(self) -> None:
        """Write what waits, or its first half megabyte, if the analyser has taken what came before."""
        self._timer = None
        if self._waiting and self._outlet.ready():
            self._write(BATCH_BYTES)
        elif self._waiting_bytes > self._limit // 4:
            self._behind = True
        if self._waiting:
            self._timer = self._loop.call_later(BATCH_S, self.flush)

    def flush_all(self) -> None:
        """Write all that waits: the gateway ends."""
        if self._waiting and self._outlet.ready():
            self._write(self._limit)

    def _write(self, most: int) -> None:
        count = size = 0
        while count < len(self._waiting) and size < most:
            size += self._waiting[count][0]
            count += 1
        batch = [handed for _, handed in self._waiting[:count]]
        del self._waiting[:count]
        self._waiting_bytes -= size
        self._leaving.append(count)
        self._outlet.write(encode_batch(batch))

    def read(self) -> None:
        """The analyser has read one more batch."""
        self._leaving.popleft()

    def lost(self) -> None:
        """The analyser died before it had read what was written."""
        self.dropped += sum(self._leaving)
        self._leaving.clear()
