"""How soon the judge finds a treatment that went bad, beside the lesson's monitor, a canary and Lorden's bound.

    PYTHONPATH=tests python tests/benchmarks/judge_detection.py [--runs 300] [--processes 2]

Both arms answer alike until each has given 2,000 answers; then the treatment changes. The baseline is estimated from
the control. All signals are on. Counted are the treatment's answers after the change. Exits with 1 where a target is
missed, or where one of the fresh starts ends in a breach while both arms are alike.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import deque
from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.thresholds import Thresholds
from support.judged_traffic import Mix, Source

HEALTHY = 2_000
"""Answers of each arm before the change."""
LIMIT = 8_000
"""Answers after which a run gives up; a run that found nothing counts as that many."""
NORMAL = Mix()


class Scenario(NamedTuple):
    """A change and what is to be reached: mean answers until `watch` and `breach`, and the 95th percentile of it."""

    name: str
    after: Mix
    watch: float | None = None
    breach: float | None = None
    breach_p95: float | None = None
    bound: float | None = None


def lorden(before: float, after: float, alarms: float) -> float:
    """Least mean answers for a known baseline at one false alarm in so many answers (Lorden 1971)."""
    divergence = after * math.log(after / before) + (1.0 - after) * math.log((1.0 - after) / (1.0 - before))
    return math.log(alarms) / divergence


SCENARIOS = (
    Scenario("repetition 2 % -> 10 %", NORMAL._replace(repetition=0.10), 180, 260, 450, lorden(0.02, 0.10, 1e6)),
    Scenario("repetition 2 % -> 5 %", NORMAL._replace(repetition=0.05), None, 1_600, None, lorden(0.02, 0.05, 1e6)),
    Scenario("mean length -20 %", NORMAL._replace(tokens=NORMAL.tokens * 0.8), None, 250),
    Scenario("mean length +20 %", NORMAL._replace(tokens=NORMAL.tokens * 1.2), None, 250),
)


class Lesson:
    """The lesson's monitor: a window of 500, the first 100 answers as the baseline, a look after every hundredth."""

    def __init__(self) -> None:
        self._recent: deque[Observation] = deque(maxlen=500)
        self._baseline: tuple[float, float] | None = None

    def hear(self, seen: Observation) -> bool:
        """Whether it alerts."""
        if seen.variant == "control" or not seen.complete:
            return False
        self._recent.append(seen)
        count = len(self._recent)
        if count % 100:
            return False
        loops = sum(one.repetition for one in self._recent) / count
        length = sum(one.words for one in self._recent) / count
        if self._baseline is None:
            self._baseline = loops, length
            return False
        return loops > 0.15 or loops - self._baseline[0] > 0.05 or length / self._baseline[1] < 0.70


class Canary:
    """A canary as Kayenta judges one: of both arms a point for every 25 answers, the last 40 points compared by
    Mann-Whitney at 98 %, and a relative effect of at least a quarter for shares, a tenth for lengths."""

    POINT, POINTS, Z = 25, 40, 2.326

    def __init__(self) -> None:
        self._open: dict[str, list[Observation]] = {"control": [], "treatment": []}
        self._loops: dict[str, deque[float]] = {arm: deque(maxlen=self.POINTS) for arm in self._open}
        self._lengths: dict[str, deque[float]] = {arm: deque(maxlen=self.POINTS) for arm in self._open}

    def hear(self, seen: Observation) -> bool:
        """Whether it fails the treatment."""
        if not seen.complete:
            return False
        points = self._open[seen.variant]
        points.append(seen)
        if len(points) < self.POINT:
            return False
        self._loops[seen.variant].append(fmean(one.repetition for one in points))
        self._lengths[seen.variant].append(fmean(one.words for one in points))
        points.clear()
        if len(self._loops["control"]) < self.POINTS or len(self._loops["treatment"]) < self.POINTS:
            return False
        return self._differs(self._loops, 0.25, upward_only=True) or self._differs(self._lengths, 0.10)

    def _differs(self, of: dict[str, deque[float]], effect: float, *, upward_only: bool = False) -> bool:
        ours, theirs = of["treatment"], of["control"]
        change = fmean(ours) / max(fmean(theirs), 1e-9) - 1.0
        if change < effect if upward_only else abs(change) < effect:
            return False
        wins = sum((one > other) + 0.5 * (one == other) for one in ours for other in theirs)
        middle, spread = (
            len(ours) * len(theirs) / 2.0,
            math.sqrt(len(ours) * len(theirs) * (2 * self.POINTS + 1) / 12.0),
        )
        return abs(wins - middle) / spread > self.Z


class Found(NamedTuple):
    """Answers until each found it, LIMIT where not; whether it cried wolf before the change."""

    watch: int
    breach: int
    lesson: int
    canary: int
    early: tuple[bool, bool, bool]
    broke: bool
    """It would have rolled a healthy treatment back."""


def run(task: tuple[int, int]) -> Found:
    """One run of a scenario."""
    number, seed = task
    scenario, source = SCENARIOS[number], Source(1_000 * number + seed, users=20_000)
    judge, lesson, canary = Judge(Thresholds()), Lesson(), Canary()
    early, broke = [False, False, False], False
    for _ in range(HEALTHY):
        for arm in ("control", "treatment"):
            seen = source.answer(arm, NORMAL)
            judge.hear(seen)
            early[1] |= lesson.hear(seen)
            early[2] |= canary.hear(seen)
        kind = judge.verdict().kind
        early[0] |= kind in ("watch", "breach")
        broke |= kind == "breach"
    found: dict[str, int] = {}
    for count in range(1, LIMIT + 1):
        for arm, mix in (("control", NORMAL), ("treatment", scenario.after)):
            seen = source.answer(arm, mix)
            judge.hear(seen)
            # The first alarm counts, right or wrong: a monitor that cries all the time looks quick, and `early` says
            # so.
            if "lesson" not in found and lesson.hear(seen):
                found["lesson"] = count
            if "canary" not in found and canary.hear(seen):
                found["canary"] = count
        kind = judge.verdict().kind
        if kind in ("watch", "breach"):
            found.setdefault("watch", count)
        if kind == "breach":
            found.setdefault("breach", count)
        if "breach" in found and ("lesson" in found or count >= 2_000):
            break
    times = (found.get(name, LIMIT) for name in ("watch", "breach", "lesson", "canary"))
    return Found(*times, early=(early[0], early[1], early[2]), broke=broke)


def main() -> int:
    """Run all scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    missed = 0
    print(f"answers of the treatment until it is found; {options.runs} runs, the baseline is estimated\n")
    print(f"{'':<24}{'watch':>8}{'breach':>8}{'p95':>7}{'lesson':>9}{'canary':>9}{'Lorden, 1e6':>13}")
    totals, broken = [0, 0, 0], 0
    with Pool(options.processes) as pool:
        for number, scenario in enumerate(SCENARIOS):
            runs = pool.map(run, [(number, seed) for seed in range(options.runs)], chunksize=4)
            watch, breach = fmean(one.watch for one in runs), fmean(one.breach for one in runs)
            p95 = sorted(one.breach for one in runs)[math.ceil(0.95 * len(runs)) - 1]
            bound = f"{scenario.bound:.0f}" if scenario.bound else "-"
            row = f"{watch:>8.0f}{breach:>8.0f}{p95:>7}{_shown(runs, lambda one: one.lesson):>9}"
            print(f"{scenario.name:<24}{row}{_shown(runs, lambda one: one.canary):>9}{bound:>13}", flush=True)
            for got, most in ((watch, scenario.watch), (breach, scenario.breach), (p95, scenario.breach_p95)):
                if most is not None and got > most:
                    missed += 1
                    print(f"  missed: {got:.0f}, the target is {most:.0f}")
            broken += sum(one.broke for one in runs)
            totals = [count + sum(one.early[kind] for one in runs) for kind, count in enumerate(totals)]
    of = options.runs * len(SCENARIOS)
    print(f"\nfalse alarms within the first {HEALTHY:,} healthy answers, of {of} runs: ", end="")
    print(f"judge {totals[0]}, of them {broken} breaches, lesson {totals[1]}, canary {totals[2]}")
    return 1 if missed or broken else 0


def _shown(runs: list[Found], of: Callable[[Found], int]) -> str:
    times = [of(one) for one in runs]
    found = [time for time in times if time < LIMIT]
    return f"{fmean(found):.0f}" if len(found) > len(times) / 2 else f"{len(found)}/{len(times)}"


if __name__ == "__main__":
    sys.exit(main())
