"""What this service shows by itself, learned from hourly blocks while both arms run side by side.

The lesson sets limits at 2 to 3 times the variation that the A/B phase showed, rather than at fixed values. A limit
here is what the control showed, mean and deviations, and how far apart both arms were in the same blocks. It says what
matters in practice; whether a difference is real, the sequential tests say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.thresholds import Learning

HOUR_S = 3_600.0
DAY_HOURS = 24
MIN_DAYS = 7
MAX_BLOCKS = 24 * 35
"""Five weeks; older blocks go."""


class ArmBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one arm in one block; `words` of all outputs together."""

    outputs: int = 0
    failures: int = 0
    repetitions: int = 0
    refusals: int = 0
    words: int = 0

    def __add__(self, other: ArmBlock) -> ArmBlock:
        return ArmBlock(
            outputs=self.outputs + other.outputs,
            failures=self.failures + other.failures,
            repetitions=self.repetitions + other.repetitions,
            refusals=self.refusals + other.refusals,
            words=self.words + other.words,
        )


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An hour of both arms; `hour` counts from 1970."""

    hour: int
    control: ArmBlock = ArmBlock()
    treatment: ArmBlock = ArmBlock()


class LearnedLimit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was learned of one signal.

    Attributes:
        mean: the control's share, or its mean length in words.
        sd: between blocks beyond the noise of counting; relative for lengths.
        apart: how far the arms usually are apart in a block, root mean square beyond the noise; relative for lengths.
        watch, breach: the limits for a full window; above them it is unusual, for lengths also below their inverse.
            Shares, or ratios to the control.
        blocks: that it was learned from; `unit` says whether they are hours or days.
    """

    signal: str
    mean: float
    sd: float
    apart: float
    watch: float
    breach: float
    blocks: int
    unit: str


class BlockLog:
    """Counts answers by the hour."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.closed: list[Block] = list(blocks)
        self._hour = self.closed[-1].hour if self.closed else -1
        self._counts: dict[str, list[int]] = {}

    def add(self, seen: Observation) -> bool:
        """Count an answer; True where it began a new hour, so that the one before is closed.

        Answers of a closed hour are known already: an agent hears them again after it was restarted.
        """
        hour = int(seen.t // HOUR_S)
        closes = False
        if hour > self._hour:
            closes = self._close()
            self._hour = hour
            self._counts = {"control": [0] * 5, "treatment": [0] * 5}
        counts = self._counts.get(seen.variant)
        if counts is None:
            return closes
        if not seen.complete:
            counts[1] += 1
            return closes
        counts[0] += 1
        counts[2] += seen.repetition
        counts[3] += seen.refusal
        counts[4] += seen.words
        return closes

    def _close(self) -> bool:
        if not self._counts:
            return False
        self.closed.append(Block(hour=self._hour, control=self._arm("control"), treatment=self._arm("treatment")))
        del self.closed[:-MAX_BLOCKS]
        return True

    def _arm(self, name: str) -> ArmBlock:
        outputs, failures, repetitions, refusals, words = self._counts[name]
        return ArmBlock(outputs=outputs, failures=failures, repetitions=repetitions, refusals=refusals, words=words)


_SHARES: dict[str, Callable[[ArmBlock], tuple[int, int]]] = {
    "repetition": lambda arm: (arm.repetitions, arm.outputs),
    "refusal": lambda arm: (arm.refusals, arm.outputs),
    "failures": lambda arm: (arm.failures, arm.outputs + arm.failures),
}


def learned_limits(blocks: Sequence[Block], settings: Learning, window: int) -> tuple[LearnedLimit, ...]:
    """The limits for windows of so many answers; empty until there are enough blocks."""
    usable = [block for block in blocks if min(block.control.outputs, block.treatment.outputs) >= settings.min_outputs]
    if not settings.on or len(usable) < settings.min_blocks:
        return ()
    days = _by_day(usable)
    unit, rows = ("days", days) if len(days) >= MIN_DAYS else ("hours", usable)
    limits = [_share_limit(signal, of, rows, settings, window, unit) for signal, of in _SHARES.items()]
    return (*limits, _length_limit(rows, settings, unit))


def _by_day(blocks: Sequence[Block]) -> list[Block]:
    days: dict[int, Block] = {}
    for block in blocks:
        day = block.hour // DAY_HOURS
        known = days.get(day, Block(hour=day * DAY_HOURS))
        days[day] = Block(
            hour=known.hour, control=known.control + block.control, treatment=known.treatment + block.treatment
        )
    return list(days.values())


def _share_limit(
    signal: str,
    of: Callable[[ArmBlock], tuple[int, int]],
    rows: Sequence[Block],
    settings: Learning,
    window: int,
    unit: str,
) -> LearnedLimit:
    control = [of(row.control) for row in rows]
    treatment = [of(row.treatment) for row in rows]
    mean = sum(hits for hits, _ in control) / sum(total for _, total in control)
    noise = [mean * (1.0 - mean) / total for _, total in control]
    between = max(0.0, sum((hits / total - mean) ** 2 for hits, total in control) / (len(rows) - 1) - _mean(noise))
    gaps = [
        (ours / ours_of - theirs / theirs_of) ** 2
        for (ours, ours_of), (theirs, theirs_of) in zip(treatment, control, strict=True)
    ]
    apart = max(0.0, _mean(gaps) - _mean(noise) - _mean([mean * (1.0 - mean) / total for _, total in treatment]))
    deviation = math.sqrt(between + apart + mean * (1.0 - mean) / window)
    return LearnedLimit(
        signal=signal,
        mean=mean,
        sd=math.sqrt(between),
        apart=math.sqrt(apart),
        watch=mean + settings.watch_sd * deviation,
        breach=mean + settings.breach_sd * deviation,
        blocks=len(rows),
        unit=unit,
    )


def _length_limit(rows: Sequence[Block], settings: Learning, unit: str) -> LearnedLimit:
    """Ratios of means: the arms hear the same hours, so that only their distance counts, noise of counting included."""
    control = [max(1.0, row.control.words / row.control.outputs) for row in rows]
    treatment = [max(1.0, row.treatment.words / row.treatment.outputs) for row in rows]
    mean = _mean(control)
    sd = math.sqrt(sum((value - mean) ** 2 for value in control) / (len(rows) - 1)) / mean
    apart = math.sqrt(_mean([math.log(ours / theirs) ** 2 for ours, theirs in zip(treatment, control, strict=True)]))
    return LearnedLimit(
        signal="length",
        mean=mean,
        sd=sd,
        apart=apart,
        watch=math.exp(settings.watch_sd * apart),
        breach=math.exp(settings.breach_sd * apart),
        blocks=len(rows),
        unit=unit,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
