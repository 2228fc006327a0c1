"""The verdict on a treatment: a pure function of both arms' windows and the thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.window import WindowStats

VerdictKind = Literal["healthy", "watch", "breach", "inconclusive", "control-unhealthy"]

SIGNALS = ("repetition", "refusal", "failures", "length")
"""What is judged, in the order of the judge."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How the treatment does.

    Attributes:
        signal: what decided, e.g. `repetition`; empty where nothing stands out.
        reason: one sentence for a person.
        needed: answers still missing for a verdict.
    """

    kind: VerdictKind
    reason: str
    signal: str = ""
    needed: int = 0


def judge(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Verdict:
    """Hold the treatment against the limits and against the control that runs beside it.

    The repetition limit is absolute, so it needs the treatment's answers only; where the control breaks it too, the
    cause lies upstream of the quantization and nothing should move. Everything else is relative and needs both arms.
    """
    incomplete = _missing_verdict("treatment", _missing(treatment, limits))
    if incomplete:
        return incomplete
    control_missing = _missing(control, limits)
    if control.repetition_rate > limits.repetition and not control_missing:
        return Verdict(
            kind="control-unhealthy",
            signal="repetition",
            reason=f"the control itself loops in {control.repetition_rate:.1%} of its answers: look upstream",
        )
    breach = next(_breaches(control, treatment, limits, relative=not control_missing), None)
    if breach:
        return breach
    incomplete = _missing_verdict("control", control_missing)
    if incomplete:
        return incomplete
    return next(_watches(control, treatment, limits), Verdict(kind="healthy", reason="as good as the control"))


def judge_signals(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> dict[str, Verdict]:
    """Each signal by itself, for a table: `judge` stops at the first that decides."""
    missing = _missing(treatment, limits)
    control_missing = _missing(control, limits)
    found: dict[str, Verdict] = {}
    if not missing:
        for verdict in _breaches(control, treatment, limits, relative=not control_missing):
            found.setdefault(verdict.signal, verdict)
        if not control_missing:
            for verdict in _watches(control, treatment, limits):
                found.setdefault(verdict.signal, verdict)
    rest = _missing_verdict("treatment", missing) or _missing_verdict("control", control_missing)
    healthy = Verdict(kind="healthy", reason="as good as the control")
    return {signal: found.get(signal) or rest or healthy for signal in SIGNALS}


def _missing_verdict(arm: str, missing: int) -> Verdict | None:
    if not missing:
        return None
    return Verdict(kind="inconclusive", reason=f"needs {missing} more outputs of the {arm}", needed=missing)


def _missing(arm: WindowStats, limits: Thresholds) -> int:
    return max(0, limits.min_outputs - arm.outputs - arm.failures)


def _breaches(control: WindowStats, treatment: WindowStats, limits: Thresholds, *, relative: bool) -> Iterator[Verdict]:
    def breach(signal: str, reason: str) -> Verdict:
        return Verdict(kind="breach", signal=signal, reason=reason)

    rate = treatment.repetition_rate
    if rate > limits.repetition:
        yield breach("repetition", f"{rate:.1%} of answers loop, limit {limits.repetition:.0%}{_times(control, rate)}")
    if not relative:
        return
    rise = treatment.refusal_rate - control.refusal_rate
    if rise > limits.refusal_delta:
        yield breach(
            "refusal",
            f"refusals {rise * 100:+.1f} points over the control, limit +{limits.refusal_delta:.0%}",
        )
    rise = treatment.failure_rate - control.failure_rate
    if rise > limits.failure_delta:
        yield breach("failures", f"failed answers {rise * 100:+.1f} points over the control")
    ratio = _length_ratio(control, treatment)
    low, high = limits.length_ratio
    if ratio is not None and not low <= ratio <= high:
        yield breach(
            "length",
            f"answers are {ratio:.2f} times as long as the control's, limits {low:.2f} to {high:.2f}",
        )


def _watches(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Iterator[Verdict]:
    def watch(signal: str, reason: str) -> Verdict:
        return Verdict(kind="watch", signal=signal, reason=reason)

    for signal, ours, theirs in (
        ("repetition", treatment.repetition_rate, control.repetition_rate),
        ("refusal", treatment.refusal_rate, control.refusal_rate),
    ):
        if ours - theirs > limits.alert_delta:
            yield watch(signal, f"{signal} {(ours - theirs) * 100:+.1f} points over the control")
    ratio = _length_ratio(control, treatment)
    if ratio is not None and ratio < limits.length_alert:
        yield watch("length", f"answers are {ratio:.2f} times as long as the control's")


def _length_ratio(control: WindowStats, treatment: WindowStats) -> float | None:
    if control.mean_words is None or treatment.mean_words is None:
        return None
    # The lesson's guard: a control that says next to nothing is no measure for length.
    return treatment.mean_words / max(control.mean_words, 1.0)


def _times(control: WindowStats, rate: float) -> str:
    theirs = control.repetition_rate
    return f", {rate / theirs:.1f}x the control" if theirs > 0 else ", the control does not loop"
