"""How often the judge cries wolf: healthy answers through days, nights and sudden changes of what users ask.

    PYTHONPATH=tests python tests/benchmarks/judge_false_alarms.py [--answers 10000000] [--processes 2]

Both arms answer alike. What is asked swings by the day (loops 1 to 3 %, refusals 2 to 5 %, lengths by a half,
latencies by four fifths) and jumps every 20,000 answers or so, for both arms alike; users, failures and all signals as
in production. Every answer is judged by the real code. The rates are those of the stretches of evidence that reached
each level; the last column extrapolates the seldom ones from the frequent ones. Exits with 1 for a single breach.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.gateway import VariantName
from support.judged_traffic import Mix, Source

PER_SECOND = 10.0
DAY_S = 86_400.0
JUMP = 20_000
"""Answers between two jumps, on average."""
LEVELS = tuple(10.0**exponent for exponent in range(-6, 1))
"""Evidence as a part of what a breach takes: a watch is at 1e-2."""


def mix_at(t: float, jumped: Mix) -> Mix:
    """What is asked at a time of the day, in seconds; `jumped` holds factors."""
    day = 0.5 + 0.5 * math.sin(2.0 * math.pi * t / DAY_S)
    return Mix(
        repetition=(0.01 + 0.02 * day) * jumped.repetition,
        refusal=(0.02 + 0.03 * day) * jumped.refusal,
        truncated=(0.02 + 0.03 * day) * jumped.truncated,
        long=0.05 + 0.10 * day,
        tokens=(160.0 + 80.0 * day) * jumped.tokens,
        slowness=(1.0 + 0.8 * day) * jumped.slowness,
    )


def run(task: tuple[int, int]) -> tuple[Counter[str], list[int], float]:
    """So many answers of one seed: verdicts as they changed, stretches by level, seconds of the processor."""
    seed, answers = task
    began = time.process_time()
    source = Source(seed, cv=0.6)
    draw = source.random
    judge, last = Judge(Thresholds()), ""
    kinds: Counter[str] = Counter()
    jumped = Mix(1.0, 1.0, 1.0, tokens=1.0, slowness=1.0)
    mix = mix_at(0.0, jumped)
    watched = Stretches(judge)
    for number in range(answers):
        t = number / PER_SECOND
        if not number % 500:
            mix = mix_at(t, jumped)
        if draw.random() < 1.0 / JUMP:
            jumped = Mix(
                *(draw.uniform(0.6, 1.7) for _ in range(3)),
                tokens=draw.uniform(0.8, 1.3),
                slowness=draw.uniform(0.7, 1.6),
            )
            mix = mix_at(t, jumped)
        arm: VariantName = "control" if draw.random() < 0.5 else "treatment"
        judge.hear(source.answer(arm, mix, t))
        verdict = judge.verdict()
        if verdict.kind != last:
            last = verdict.kind
            kinds[f"{verdict.kind} {verdict.signal}".strip()] += 1
            if last in ("breach", "control-unhealthy"):
                print(f"  seed {seed}, answer {number:,}: {last}: {verdict.reason}", flush=True)
        watched.look()
    return kinds, watched.counts, time.process_time() - began


class Stretches:
    """Counts stretches in which the evidence of any test reached a level before it fell back."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.counts = [0] * len(LEVELS)
        self._reached: dict[int, int] = {}

    def look(self) -> None:
        """See where the evidence stands."""
        for number, entry in enumerate(self._judge.battery.entries):
            lowest = entry.breach * LEVELS[0]
            if entry.test.raw < lowest:
                if number in self._reached:
                    del self._reached[number]
                continue
            evidence = entry.test.evidence() / entry.breach
            reached = self._reached.setdefault(number, 0)
            while reached < len(LEVELS) and evidence >= LEVELS[reached]:
                self.counts[reached] += 1
                reached += 1
            self._reached[number] = reached


def main() -> int:
    """Run, print what was found, and fail for a breach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    parts = max(options.processes, 8)
    kinds: Counter[str] = Counter()
    counts, seconds = [0] * len(LEVELS), 0.0
    with Pool(options.processes) as pool:
        tasks = [(options.seed + number, options.answers // parts) for number in range(parts)]
        for part, levels, took in pool.imap_unordered(run, tasks):
            kinds += part
            counts = [one + other for one, other in zip(counts, levels, strict=True)]
            seconds += took
    treatment = options.answers / 2
    print(f"{options.answers:,} healthy answers, {treatment:,.0f} of the treatment, {options.answers // JUMP:,} jumps")
    print(f"{seconds / options.answers * 1e6:.1f} us of the processor each, their making included")
    for kind, times in sorted(kinds.items()):
        print(f"  {kind:<34}{times:>6} times")
    print("evidence, of a breach    stretches   one in answers of the treatment   extrapolated")
    frequent = max((number for number, count in enumerate(counts) if count >= 20), default=0)
    for number, (level, count) in enumerate(zip(LEVELS, counts, strict=True)):
        beyond = counts[frequent] * LEVELS[frequent] / level if number > frequent else float(count)
        one_in = f"{treatment / count:.3g}" if count else "-"
        name = {-2: " watch", 0: " breach"}.get(round(math.log10(level)), "")
        print(f"{level:>12.0e}{name:<12}{count:>10}{one_in:>34}{treatment / beyond if beyond else 0:>15.3g}")
    breaches = sum(times for kind, times in kinds.items() if kind.startswith("breach"))
    print(f"false breaches: {breaches}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
