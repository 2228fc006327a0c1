"""The last signals, for agents that come later or come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import merge
from operator import attrgetter

from quantdeck_core.protocol.signals import AnswerRating, AnswerSignals, Signal

SIZE = 5_000
_seq = attrgetter("seq")


class SignalRing:
    """Signals with consecutive `seq`, the oldest falling out: answers and ratings each for themselves, so that whoever
    rates one answer a thousand times pushes no answer out.

    Attributes:
        last_seq: of the newest; 0 before the first.
    """

    def __init__(self, size: int = SIZE) -> None:
        self.last_seq = 0
        self._answers: deque[AnswerSignals] = deque(maxlen=size)
        self._ratings: deque[AnswerRating] = deque(maxlen=size)

    @property
    def first_seq(self) -> int:
        """Of the oldest held; of the next one where none is."""
        return min((held[0].seq for held in (self._answers, self._ratings) if held), default=self.last_seq + 1)

    def add(self, signal: Signal) -> None:
        """Append one; its `seq` is the next."""
        self.last_seq = signal.seq
        if isinstance(signal, AnswerRating):
            self._ratings.append(signal)
        else:
            self._answers.append(signal)

    def after(self, seq: int) -> list[Signal]:
        """What is held and came after a `seq`."""
        return [*merge(_after(self._answers, seq), _after(self._ratings, seq), key=_seq)]


def _after(held: Iterable[Signal], seq: int) -> Iterator[Signal]:
    return (signal for signal in held if signal.seq > seq)
