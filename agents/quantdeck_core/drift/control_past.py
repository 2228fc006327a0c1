"""The control against its own past: when it gets worse by itself, the cause is upstream of the quantization."""

from __future__ import annotations

import math
from collections import deque

from quantdeck_core.drift.chance import BREACH_NATS, excess_nats
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.verdict import Verdict, percent

BLOCK = 100
RECENT_BLOCKS = 5
"""Its last 500 answers are held against those before."""
MEMORY_BLOCKS = 30
"""Answers before that fade with this time constant."""
MIN_PAST = 1_000.0
_SIGNALS = ("failures", "repetition", "refusal", "garbled", "empty")
_NAMES = ("failed answers", "repetition", "refusals", "garbled answers", "empty answers")
_MARGIN = 2.0
"""Standard errors of its past that are given away."""


class ControlPast:
    """Looks at the control once in a hundred answers."""

    def __init__(self) -> None:
        self._block = [0] * len(_SIGNALS)
        self._in_block = 0
        self._recent: deque[list[int]] = deque()
        self._past = [0.0] * len(_SIGNALS)
        self._past_answers = 0.0
        self._worse: tuple[int, float, float] | None = None

    def hear(self, seen: Observation) -> None:
        """Count an answer of the control."""
        hits = (not seen.complete, seen.repetition, seen.refusal, seen.garbled, seen.empty)
        if any(hits):
            self._block = [count + hit for count, hit in zip(self._block, hits, strict=True)]
        self._in_block += 1
        if self._in_block == BLOCK:
            self._close()

    def _close(self) -> None:
        self._recent.append(self._block)
        self._block, self._in_block = [0] * len(_SIGNALS), 0
        if len(self._recent) > RECENT_BLOCKS:
            keep = 1.0 - 1.0 / MEMORY_BLOCKS
            oldest = self._recent.popleft()
            self._past = [count * keep + more for count, more in zip(self._past, oldest, strict=True)]
            self._past_answers = self._past_answers * keep + BLOCK
        self._worse = self._compare() if self._past_answers >= MIN_PAST else None

    def _compare(self) -> tuple[int, float, float] | None:
        total = BLOCK * len(self._recent)
        for signal in range(len(_SIGNALS)):
            hits = sum(block[signal] for block in self._recent)
            before = self._past[signal] / self._past_answers
            upper = before + _MARGIN * math.sqrt(before * (1.0 - before) / self._past_answers)
            if excess_nats(hits, total, upper) >= BREACH_NATS:
                return signal, hits / total, before
        return None

    def verdict(self, least_rise: float) -> Verdict | None:
        """What to say of a control that got worse by so much and beyond chance; None where it did not."""
        if self._worse is None:
            return None
        signal, now, before = self._worse
        if now - before <= least_rise:
            return None
        reason = (
            f"the control's own {_NAMES[signal]} rose to {percent(now)} from {percent(before)} before: look upstream"
        )
        return Verdict(kind="control-unhealthy", signal=_SIGNALS[signal], reason=reason)
