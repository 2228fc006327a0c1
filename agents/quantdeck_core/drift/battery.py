"""All sequential tests of one experiment, and how the false-alarm rate is split between them."""

from __future__ import annotations

import math
from typing import NamedTuple

from quantdeck_core.drift.baseline import ShareBaseline, Stream
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.ranks import RankTest, Reference
from quantdeck_core.drift.sequential import REFRESH, ShareTest
from quantdeck_core.drift.thresholds import Sequential

WATCH_RATE = 1e-6
"""False `watch` for each answer of the treatment, all tests together."""
BREACH_RATE = 1e-8
SHARE_SLACK = 2.5
"""Levels may be so much lower: in simulations, their baselines estimated, share tests reach a level A at most once in
2.5 A answers, since they overshoot it and the guards take evidence away."""
RANK_SLACK = 4.0
"""The same of rank tests, whose margins take evidence away."""

# Parts of the rate; they add up to 1. What quantization breaks first gets most.
_SHARES: tuple[tuple[str, bool, float], ...] = (
    ("repetition", True, 0.56),
    ("refusal", True, 0.05),
    ("refusal", False, 0.01),
    ("failures", True, 0.04),
    ("empty", True, 0.02),
    ("truncated", True, 0.02),
    ("truncated", False, 0.01),
    ("garbled", True, 0.03),
    ("long-repetition", True, 0.05),
    ("long-refusal", True, 0.01),
)
_OF_LONG = ("long-repetition", "long-refusal")
_LENGTHS: tuple[tuple[str, bool, float], ...] = (
    ("length", True, 0.07),
    ("length", False, 0.07),
    ("long-length", True, 0.01),
    ("long-length", False, 0.01),
)
_LATENCIES: tuple[tuple[str, float], ...] = (("ttft", 0.02), ("itl", 0.01), ("e2e", 0.01))


class Entry(NamedTuple):
    """One test with its levels.

    Attributes:
        watch, breach: evidence from which on chance is not believed.
    """

    signal: str
    up: bool
    test: ShareTest | RankTest
    watch: float
    breach: float


class Battery:
    """Hears answers of both arms and keeps the evidence of each signal."""

    def __init__(self, settings: Sequential) -> None:
        self._settings = settings
        self._in_tokens = True
        """Lengths are in tokens until an answer comes without them, and in words from then on."""
        self.ignored = 0
        """Latencies and lengths that were missing or no numbers."""
        self._start()

    def _start(self) -> None:
        self.entries: list[Entry] = []
        self._all, self._answered, self._long = Stream(), Stream(), Stream()
        self._countdown = 0
        self._signals: dict[str, tuple[ShareBaseline, list[ShareTest]]] = {}
        for signal, up, part in _SHARES:
            stream = self._all if signal == "failures" else self._long if signal in _OF_LONG else self._answered
            baseline, tests = self._signals.setdefault(signal, (ShareBaseline(stream), []))
            tests.append(ShareTest(baseline, up=up))
            self._enter(signal, up, tests[-1], part * SHARE_SLACK)
        self._share_tests = [test for _, tests in self._signals.values() for test in tests]
        self._ranks: dict[str, tuple[Reference, list[RankTest]]] = {}
        for signal, up, part in _LENGTHS:
            self._rank(signal, up, part, self._settings.length_tolerance)
        for signal, part in _LATENCIES:
            self._rank(signal, True, part, self._settings.latency_tolerance)

    def _rank(self, signal: str, up: bool, part: float, tolerance: float) -> None:
        reference, tests = self._ranks.setdefault(signal, (Reference(), []))
        test = RankTest(reference, up=up, tolerance=tolerance)
        tests.append(test)
        self._enter(signal, up, test, part * RANK_SLACK)

    def _enter(self, signal: str, up: bool, test: ShareTest | RankTest, part: float) -> None:
        self.entries.append(Entry(signal, up, test, 1.0 / (part * WATCH_RATE), 1.0 / (part * BREACH_RATE)))

    def restart(self) -> None:
        """Another control: nothing that was known of either arm can be compared any more."""
        self._start()

    def forget_treatment(self) -> None:
        """Another treatment, or one that was mended; the control's past stays."""
        for entry in self.entries:
            entry.test.forget()

    def hear(self, seen: Observation) -> None:
        """Count an answer of either arm."""
        if self._in_tokens and seen.complete and seen.tokens is None:
            self._in_tokens = False
            self._start()
        if seen.variant == "control":
            self._hear_control(seen)
        else:
            self._hear_treatment(seen)

    def _hear_control(self, seen: Observation) -> None:
        self._all.control += 1
        if seen.complete:
            self._answered.control += 1
            self._long.control += seen.long
            for name, value in self._values(seen):
                reference, ranks = self._ranks[name]
                for rank in ranks:
                    rank.add_control(value)
                reference.add(value)
        for signal in _hits(seen):
            baseline, tests = self._signals[signal]
            for test in tests:
                test.hit_control()
            baseline.hit()
        self._countdown -= 1
        if self._countdown <= 0:
            self._countdown = REFRESH
            for test in self._share_tests:
                test.refresh()

    def _hear_treatment(self, seen: Observation) -> None:
        self._all.treatment += 1
        if seen.complete:
            self._answered.treatment += 1
            self._long.treatment += seen.long
            for name, value in self._values(seen):
                for rank in self._ranks[name][1]:
                    rank.add_treatment(value)
        for signal in _hits(seen):
            for test in self._signals[signal][1]:
                test.hit_treatment()

    def _values(self, seen: Observation) -> list[tuple[str, float]]:
        values: list[tuple[str, float]] = []
        length = seen.tokens if self._in_tokens else seen.words
        if length is not None:
            values.append(("length", length))
            if seen.long:
                values.append(("long-length", length))
        for signal, value in (("ttft", seen.ttft_ms), ("itl", seen.itl_ms), ("e2e", seen.e2e_ms)):
            if value is None:
                continue
            if 0.0 <= value < math.inf:
                values.append((signal, value))
            else:
                self.ignored += 1
        return values


def _hits(seen: Observation) -> list[str]:
    if not seen.complete:
        return ["failures"]
    hits = []
    if seen.repetition:
        hits.append("repetition")
    if seen.refusal:
        hits.append("refusal")
    if seen.empty:
        hits.append("empty")
    if seen.truncated:
        hits.append("truncated")
    if seen.garbled:
        hits.append("garbled")
    if hits and seen.long:
        hits += [f"long-{signal}" for signal in hits if f"long-{signal}" in _OF_LONG]
    return hits
