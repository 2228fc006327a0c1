"""The prompts of the last flagged answers, for people who ask and for a replay: in memory, bounded, for an hour."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from quantdeck_core.protocol.signals import AnswerSignals, FlaggedPrompt
from quantdeck_gateway.handover import FinishedAnswer
from quantdeck_gateway.limits import KIB, MIB

MOST_PER_ARM = 64
MOST_BYTES = 64 * KIB
"""Of one."""
ALL_BYTES = 2 * MIB
EXPIRE_S = 3600.0

_WHO = frozenset({"user", "safety_identifier", "metadata", "prompt_cache_key"})
"""Fields of a request that say who asked: whoever looks at a prompt need not know."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class _Kept(NamedTuple):
    until: float
    line: bytes


class FlaggedPrompts:
    """Those of all experiments; the oldest go first. Times are of a clock that only goes forwards, in seconds."""

    def __init__(self) -> None:
        self._arms: dict[tuple[str, str], deque[_Kept]] = {}
        self.bytes = 0

    def note(self, finished: FinishedAnswer, signals: AnswerSignals, now: float) -> None:
        """Keep the prompt of an answer if it is flagged. One of an experiment that keeps none (any more) has those
        forgotten that were kept."""
        if finished.prompt is None:
            if self._arms and finished.status == 200:
                self.forget(finished.experiment)
        elif finished.prompt and signals.flagged and signals.complete:
            self._keep(finished.prompt, signals, now)

    def _keep(self, prompt: bytes, signals: AnswerSignals, now: float) -> None:
        try:
            request = {name: raw for name, raw in _object.decode(prompt).items() if name not in _WHO}
            line = _encode(FlaggedPrompt(request=msgspec.Raw(_encode(request)), answer=signals))
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return
        if len(line) > MOST_BYTES:
            return
        self.expire(now)
        arm = self._arms.setdefault((signals.experiment, signals.variant), deque())
        arm.append(_Kept(now + EXPIRE_S, line))
        self.bytes += len(line)
        if len(arm) > MOST_PER_ARM:
            self._drop(arm)
        while self.bytes > ALL_BYTES:
            self._drop(min(self._arms.values(), key=lambda one: one[0].until if one else float("inf")))

    def _drop(self, arm: deque[_Kept]) -> None:
        self.bytes -= len(arm.popleft().line)

    def expire(self, now: float) -> None:
        """Forget what was kept for an hour."""
        for key, arm in list(self._arms.items()):
            while arm and arm[0].until <= now:
                self._drop(arm)
            if not arm:
                del self._arms[key]

    def forget(self, experiment: str) -> None:
        """Forget those of an experiment."""
        for key in [key for key in self._arms if key[0] == experiment]:
            self.bytes -= sum(len(kept.line) for kept in self._arms.pop(key))

    def lines(self, experiment: str, now: float) -> bytes:
        """Those of an experiment as JSON lines of `FlaggedPrompt`, of each arm the oldest first."""
        self.expire(now)
        return b"".join(
            kept.line + b"\n" for (name, _), arm in self._arms.items() if name == experiment for kept in arm
        )
