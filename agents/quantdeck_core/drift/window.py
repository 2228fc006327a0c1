"""The last answers of one arm, counted as they come."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import msgspec

from quantdeck_core.drift.observation import Observation, measured
from quantdeck_core.drift.ratings import Ratings
from quantdeck_core.percentile import percentile
from quantdeck_core.protocol.signals import AnswerRating


class WindowStats(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a window holds. Lengths are in words; means and shares are None without outputs.

    Attributes:
        outputs: finished answers; `failures` come on top.
        mean_tokens: of the answers whose tokens are known.
        ups, downs: how people rated the last answers of this generation that anybody rated. Few are, so these go
            further back than the window.
        tasks_done, tasks_open: of how many of them the user got done what it was for, and of how many not.
        sessions_on, sessions_over: after how many of them the user went on, and after how many not.
    """

    outputs: int = 0
    failures: int = 0
    repetitions: int = 0
    refusals: int = 0
    mean_words: float | None = None
    sd_words: float | None = None
    coherence: float | None = None
    garbled: int = 0
    empty: int = 0
    truncated: int = 0
    mean_tokens: float | None = None
    ups: int = 0
    downs: int = 0
    tasks_done: int = 0
    tasks_open: int = 0
    sessions_on: int = 0
    sessions_over: int = 0

    @property
    def repetition_rate(self) -> float:
        """Share of looping answers, 0 without outputs."""
        return self.repetitions / self.outputs if self.outputs else 0.0

    @property
    def refusal_rate(self) -> float:
        """Share of refusals, 0 without outputs."""
        return self.refusals / self.outputs if self.outputs else 0.0

    @property
    def failure_rate(self) -> float:
        """Share of failed answers among all, 0 without any."""
        total = self.outputs + self.failures
        return self.failures / total if total else 0.0


class ArmWindow:
    """The last answers of one generation of an arm.

    A new generation empties it: another checkpoint is another model, and the healthy answers of the old one must not
    hide the loops of the new. Late answers of an older generation are not counted.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._empty(generation=0)

    def _empty(self, generation: int) -> None:
        self.generation = generation
        self._answers: deque[Observation] = deque()
        self._repetitions = 0
        self._refusals = 0
        self._failures = 0
        self._words = 0
        self._words_squared = 0
        self._coherence = 0.0
        self._garbled = self._empty_answers = self._truncated = 0
        self._tokens = self._with_tokens = 0
        self._ratings, self._tasks, self._sessions = Ratings(), Ratings(), Ratings()

    def start_generation(self, generation: int) -> None:
        """Forget what an earlier generation answered."""
        if generation > self.generation:
            self._empty(generation)

    def forget(self) -> None:
        """Begin anew with the same generation: somebody says that what was wrong has been mended."""
        self._empty(self.generation)

    def add(self, answer: Observation) -> bool:
        """Count an answer; False where it came from an older generation."""
        self.start_generation(answer.generation)
        if answer.generation < self.generation:
            return False
        self._answers.append(answer)
        self._count(answer, 1)
        if len(self._answers) > self.size:
            self._count(self._answers.popleft(), -1)
        return True

    def rate(self, rating: AnswerRating) -> bool:
        """Count what somebody thought of an answer; False where that came from an older generation."""
        self.start_generation(rating.generation)
        if rating.generation < self.generation:
            return False
        if rating.rating is not None:
            self._ratings.rate(rating.answer, rating.rating)
        if rating.task_completed is not None:
            self._tasks.rate(rating.answer, 1.0 if rating.task_completed else -1.0)
        if rating.session_continued is not None:
            self._sessions.rate(rating.answer, 1.0 if rating.session_continued else -1.0)
        return True

    def _count(self, answer: Observation, sign: int) -> None:
        if not answer.complete:
            self._failures += sign
            return
        self._repetitions += sign * answer.repetition
        self._refusals += sign * answer.refusal
        self._words += sign * answer.words
        self._words_squared += sign * answer.words * answer.words
        self._coherence += sign * answer.coherence
        self._garbled += sign * answer.garbled
        self._empty_answers += sign * answer.empty
        self._truncated += sign * answer.truncated
        if answer.tokens is not None:
            self._tokens += sign * answer.tokens
            self._with_tokens += sign

    @property
    def answers(self) -> deque[Observation]:
        """The answers themselves, oldest first; not to be changed."""
        return self._answers

    def p95(self, field: Literal["ttft_ms", "itl_ms", "e2e_ms"]) -> float | None:
        """95th percentile of a latency over the window, nearest rank, ms; None without any."""
        known = (
            value
            for answer in self._answers
            if answer.complete and (value := measured(getattr(answer, field))) is not None
        )
        return percentile(known, 95)

    def stats(self) -> WindowStats:
        """Counts and means of the window."""
        outputs = len(self._answers) - self._failures
        said = {
            "ups": self._ratings.ups,
            "downs": self._ratings.downs,
            "tasks_done": self._tasks.ups,
            "tasks_open": self._tasks.downs,
            "sessions_on": self._sessions.ups,
            "sessions_over": self._sessions.downs,
        }
        if not outputs:
            return WindowStats(failures=self._failures, **said)
        mean = self._words / outputs
        return WindowStats(
            outputs=outputs,
            failures=self._failures,
            repetitions=self._repetitions,
            refusals=self._refusals,
            mean_words=mean,
            sd_words=math.sqrt(max(0.0, self._words_squared / outputs - mean * mean)),
            coherence=self._coherence / outputs,
            garbled=self._garbled,
            empty=self._empty_answers,
            truncated=self._truncated,
            mean_tokens=self._tokens / self._with_tokens if self._with_tokens else None,
            **said,
        )
