"""What the sequential tests say, in words: whether it is real, whether it matters here, and whether to act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quantdeck_core.drift.battery import Battery, Entry
from quantdeck_core.drift.learned import LearnedLimit
from quantdeck_core.drift.ranks import RankTest
from quantdeck_core.drift.sequential import ShareTest
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import Verdict, percent
from quantdeck_core.drift.window import ArmWindow

_NAMES = {
    "repetition": "repetition",
    "refusal": "refusals",
    "failures": "failed answers",
    "empty": "empty answers",
    "truncated": "answers cut off by their token limit",
    "garbled": "garbled answers",
    "length": "mean length",
    "ttft": "time to the first token",
    "itl": "time between tokens",
    "e2e": "time of the whole answer",
    "long-repetition": "repetition after prompts above 2,000 tokens",
    "long-refusal": "refusals after prompts above 2,000 tokens",
    "long-length": "mean length after prompts above 2,000 tokens",
}
AGREES = 100.0
"""Evidence that a fixed limit on windows needs beside it: windows of unequal arms are of different hours."""


def sequential_findings(
    battery: Battery, treatment: ArmWindow, learned: Mapping[str, LearnedLimit], limits: Thresholds
) -> Iterator[Verdict]:
    """Whatever is beyond chance, in the order of the tests."""
    for entry in battery.entries:
        test = entry.test
        if test.raw < entry.watch:
            continue
        test.settle()
        if test.evidence() < entry.watch:
            continue
        said = _share_said(entry, test) if isinstance(test, ShareTest) else _rank_said(entry, test)
        if test.evidence() < entry.breach:
            yield Verdict(kind="watch", signal=entry.signal, reason=f"{said}: chance alone does this {_OFTEN[0]}")
            continue
        why_not = _why_no_breach(entry, treatment, learned.get(entry.signal), limits)
        if why_not is None:
            yield Verdict(kind="breach", signal=entry.signal, reason=f"{said}: chance alone does this {_OFTEN[1]}")
        else:
            yield Verdict(kind="watch", signal=entry.signal, reason=f"{said}: that is real, {why_not}")


_OFTEN = ("less than once in 1e6 answers", "less than once in 1e8 answers")


def agrees(battery: Battery, signal: str) -> bool:
    """Whether the tests of a signal lean to the side on which its window breaks a fixed limit."""
    return any(entry.signal == signal and entry.test.evidence() >= AGREES for entry in battery.entries)


def _share_said(entry: Entry, test: ShareTest) -> str:
    share = percent(test.hits / max(1, test.answers))
    beside = percent(test.baseline.share)
    return f"{_NAMES[entry.signal]} {share} against {beside} of the control after {test.answers} answers"


def _rank_said(entry: Entry, test: RankTest) -> str:
    ratio = test.total / max(1, test.answers) / (test.reference.mean or 1.0)
    return f"{_NAMES[entry.signal]} {ratio:.2f} times the control's after {test.answers} answers"


def _why_no_breach(entry: Entry, treatment: ArmWindow, learned: LearnedLimit | None, limits: Thresholds) -> str | None:
    if entry.signal in ("ttft", "itl", "e2e"):
        return _within_slo(entry.signal, treatment, limits)
    if entry.signal == "truncated" and not entry.up:
        return "and no harm by itself"
    if learned is None:
        return None
    test = entry.test
    if isinstance(test, ShareTest):
        # A fall has no learned limit of its own: it counts where it is as far from the mean as a rise would have to be.
        share = test.hits / max(1, test.answers)
        limit = min(learned.breach, _fixed(entry.signal, learned.mean, limits))
        if abs(share - learned.mean) > limit - learned.mean:
            return None
        shown = f"{percent(learned.mean)} and {percent(limit - learned.mean)} either way"
    else:
        ratio = test.total / max(1, test.answers) / (test.reference.mean or 1.0)
        low, high = limits.length_ratio
        low, high = max(low, 1.0 / learned.breach), min(high, learned.breach)
        if not low <= ratio <= high:
            return None
        shown = f"{low:.2f} to {high:.2f} times"
    return f"but no more than this service shows by itself ({shown}, learned from {learned.blocks} {learned.unit})"


def _fixed(signal: str, mean: float, limits: Thresholds) -> float:
    """What is learned may not be laxer than the fixed limits."""
    if signal == "repetition":
        return limits.repetition
    return mean + (limits.refusal_delta if signal == "refusal" else limits.failure_delta)


def _within_slo(signal: str, treatment: ArmWindow, limits: Thresholds) -> str | None:
    slo = limits.slo
    if signal == "ttft":
        limit, value = slo.ttft_p95_ms, treatment.p95("ttft_ms")
    elif signal == "itl":
        limit, value = slo.itl_p95_ms, treatment.p95("itl_ms")
    else:
        limit, value = slo.e2e_p95_ms, treatment.p95("e2e_ms")
    if limit is None:
        return "and no SLO is set that it would break"
    if value is None or value <= limit:
        return f"and within the SLO of {limit:.0f} ms"
    return None
