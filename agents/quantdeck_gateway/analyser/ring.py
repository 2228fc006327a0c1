"""The last signals, for agents that come later or come back."""

from __future__ import annotations

from collections import deque
from itertools import islice

from quantdeck_core.protocol.gateway import AnswerSignals

SIZE = 5_000


class SignalRing:
    """Signals with consecutive `seq`, the oldest falling out.

    Attributes:
        last_seq: of the newest; 0 before the first.
    """

    def __init__(self, size: int = SIZE) -> None:
        self.last_seq = 0
        self._held: deque[AnswerSignals] = deque(maxlen=size)

    @property
    def first_seq(self) -> int:
        """Of the oldest held; of the next one where none is."""
        return self.last_seq - len(self._held) + 1

    def add(self, signals: AnswerSignals) -> None:
        """Append one; its `seq` is the next."""
        self.last_seq = signals.seq
        self._held.append(signals)

    def after(self, seq: int) -> list[AnswerSignals]:
        """What is held and came after a `seq`."""
        return list(islice(self._held, max(0, seq + 1 - self.first_seq), None))
