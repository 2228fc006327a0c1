"""What one arm's users were answered."""

from __future__ import annotations

from collections import deque
from statistics import median

from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.observation import Observation, observation_of
from quantdeck_core.percentile import percentile
from quantdeck_core.protocol.experiment import TREND_BUCKET_S, ArmSummary
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.signals import AnswerRating, AnswerSignals

TREND_BUCKETS = 60
RATE_BUCKETS = 12
"""A minute."""
MAX_USERS = 200_000
"""Users counted exactly; beyond that the count stands still, which is still a large number."""


class ArmTracker:
    """Counts the answers of one arm."""

    def __init__(self, judge: Judge, variant: VariantName) -> None:
        self.window = judge.window(variant)
        self._judge = judge
        self._variant: VariantName = variant
        self.answers = 0
        self.generation_answers = 0
        """Answers of the window's generation."""
        self._failures = 0
        self._users: set[str] = set()
        self._trend: deque[tuple[int, int, int]] = deque(maxlen=TREND_BUCKETS)
        """Bucket number, outputs, loops."""

    def start_generation(self, generation: int) -> None:
        """Another process serves this arm from now on."""
        if generation > self.window.generation:
            self._judge.start_generation(self._variant, generation)
            self.generation_answers = 0

    def add(self, answer: AnswerSignals, *, judged: bool = True) -> bool:
        """Count an answer; False where the verdict did not see it: not `judged`, 4xx, or as `Judge.hear` says."""
        if not answer.shadow:
            self.answers += 1
            self._failures += not (answer.complete or answer.refused)
            if answer.user and len(self._users) < MAX_USERS:
                self._users.add(answer.user)
        self._count_trend(answer)
        self.start_generation(answer.generation)
        counted = judged and not answer.refused and self._judge.hear(observation_of(answer))
        self.generation_answers += counted
        return counted

    def rate(self, rating: AnswerRating) -> None:
        """Count what somebody thought of an answer."""
        self.start_generation(rating.generation)
        self.window.rate(rating)

    def _count_trend(self, answer: AnswerSignals) -> None:
        bucket = int(answer.t // TREND_BUCKET_S)
        last = self._trend[-1] if self._trend else None
        if last and last[0] >= bucket:
            self._trend[-1] = (last[0], last[1] + answer.complete, last[2] + answer.repetition)
        else:
            self._trend.append((bucket, int(answer.complete), int(answer.repetition)))

    def summary(self, *, now: float, profile: str, engines: tuple[str, ...], ready: bool, in_flight: int) -> ArmSummary:
        """All that the console shows of it, at a UNIX time."""
        streamed = [a.ttft_ms for a in self.window.answers if a.complete and a.ttft_ms is not None]
        rates = [rate for answer in self.window.answers if (rate := _tokens_per_s(answer)) is not None]
        return ArmSummary(
            profile=profile,
            engines=engines,
            ready=ready,
            users=len(self._users),
            answers=self.answers,
            failures=self._failures,
            in_flight=in_flight,
            window=self.window.stats(),
            ttft_p50_ms=_tenths(percentile(streamed, 50)),
            ttft_p95_ms=_tenths(percentile(streamed, 95)),
            tokens_per_s=round(median(rates), 1) if rates else None,
            trend=self._trend_until(now),
        )

    def answers_per_s(self, now: float) -> float | None:
        """Over the last minute, at a UNIX time; None where there were none."""
        current = int(now // TREND_BUCKET_S)
        whole = [outputs for bucket, outputs, _ in self._trend if 0 < current - bucket <= RATE_BUCKETS]
        return sum(whole) / (RATE_BUCKETS * TREND_BUCKET_S) if whole else None

    def mean_e2e_s(self) -> float | None:
        """Mean seconds of a whole answer in the window; None without any."""
        times = [one.e2e_ms for one in self.window.answers if one.complete and one.e2e_ms is not None]
        return sum(times) / len(times) / 1000 if times else None

    def latencies_p95(self) -> tuple[float | None, float | None, float | None]:
        """Time to first token, between tokens, and of a whole answer: 95th percentiles of the window, milliseconds."""
        return self.window.p95("ttft_ms"), self.window.p95("itl_ms"), self.window.p95("e2e_ms")

    def _trend_until(self, now: float) -> tuple[float | None, ...]:
        current = int(now // TREND_BUCKET_S)
        shares = {bucket: loops / outputs for bucket, outputs, loops in self._trend if outputs}
        if not self._trend:
            return ()
        first = max(self._trend[0][0], current - TREND_BUCKETS + 1)
        return tuple(round(shares[b], 4) if b in shares else None for b in range(first, current + 1))


def _tokens_per_s(answer: Observation) -> float | None:
    """Generation speed of one request; the wait for the first token is not part of it where it is known."""
    if not answer.complete or not answer.tokens or answer.e2e_ms is None:
        return None
    seconds = (answer.e2e_ms - (answer.ttft_ms or 0.0)) / 1000
    return answer.tokens / seconds if seconds > 0.001 else None


def _tenths(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
