"""Simulated answers of two arms, as a judge hears them; fixed by a seed."""

from __future__ import annotations

import math
from random import Random
from typing import NamedTuple

from quantdeck_core.drift.observation import Observation
from quantdeck_core.protocol.gateway import VariantName

POOL = 1 << 16


class Mix(NamedTuple):
    """What is asked, and so what a healthy model answers.

    Attributes:
        tokens: mean length; `cv` its coefficient of variation.
        slowness: factor on all latencies.
    """

    repetition: float = 0.02
    refusal: float = 0.03
    truncated: float = 0.04
    failures: float = 0.002
    garbled: float = 0.004
    empty: float = 0.002
    long: float = 0.10
    tokens: float = 200.0
    slowness: float = 1.0


class Source:
    """Makes answers of a mix. Lengths and latencies are log-normal."""

    def __init__(self, seed: int, *, cv: float = 0.35, users: int = 100_000) -> None:
        self.random = Random(seed)
        self._users = [f"{number:016x}" for number in range(users)]
        self._lengths = self._pool(math.sqrt(math.log(1.0 + cv * cv)))
        self._latencies = self._pool(0.5)

    def _pool(self, sigma: float) -> list[float]:
        """Factors of mean 1."""
        return [self.random.lognormvariate(-sigma * sigma / 2.0, sigma) for _ in range(POOL)]

    def answer(self, arm: VariantName, mix: Mix, t: float = 0.0) -> Observation:
        """One answer."""
        chance = self.random.random
        user = self._users[int(chance() * len(self._users))]
        if chance() < mix.failures:
            return Observation(variant=arm, t=t, user=user, complete=False)
        tokens = max(1, round(mix.tokens * self._lengths[int(chance() * POOL)]))
        ttft = 80.0 * mix.slowness * self._latencies[int(chance() * POOL)]
        itl = 9.0 * mix.slowness * self._latencies[int(chance() * POOL)]
        return Observation(
            variant=arm,
            t=t,
            user=user,
            long=chance() < mix.long,
            repetition=chance() < mix.repetition,
            refusal=chance() < mix.refusal,
            truncated=chance() < mix.truncated,
            garbled=chance() < mix.garbled,
            empty=chance() < mix.empty,
            tokens=tokens,
            words=tokens * 3 // 4,
            ttft_ms=ttft,
            itl_ms=itl,
            e2e_ms=ttft + itl * tokens,
        )
