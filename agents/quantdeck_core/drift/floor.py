"""The fixed limits on both arms' windows: the lesson's rules, but for breaches that chance alone can explain.

The plain rules put a healthy treatment back too often: at 50 answers and 10 % refusals on both arms, ten points of
difference come up in one look of thirty.
"""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.drift.chance import (
    BREACH_NATS,
    HEALTHY_SHARE,
    WATCH_NATS,
    apart_nats,
    excess_nats,
    means_apart_nats,
)
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import Verdict, VerdictKind, percent
from quantdeck_core.drift.window import WindowStats

SUSPECT_NATS = 4.0
"""Three loops among a control's first six answers, and not one among five: e**-4 by chance."""
APART_NATS = 7.0
"""At less two shares may be one: e**-7 by chance, and a control has few answers beside a treatment with most users."""


def first_of_each(found: Iterator[Verdict]) -> dict[str, Verdict]:
    """The first finding of each signal, breaches before the rest."""
    chosen: dict[str, Verdict] = {}
    for one in found:
        known = chosen.get(one.signal)
        if known is None or (known.kind != "breach" and one.kind == "breach"):
            chosen[one.signal] = one
    return chosen


def missing_verdict(arm: str, stats: WindowStats, limits: Thresholds) -> Verdict | None:
    """Says how many answers an arm needs before anything is said of it; None where it has them."""
    missing = limits.min_outputs - stats.outputs - stats.failures
    if missing <= 0:
        return None
    return Verdict(kind="inconclusive", reason=f"needs {missing} more outputs of the {arm}", needed=missing)


def absolute_verdict(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Verdict | None:
    """What a control says that breaks an absolute limit itself; None where it does not."""
    for signal, what, limit, ours, theirs in (
        ("repetition", "loops in", limits.repetition, _loops(treatment), _loops(control)),
        ("failures", "fails in", limits.slo.error_rate, _failures(treatment), _failures(control)),
    ):
        if limit is None or not _breaks(theirs, limit, limits):
            continue
        share = percent(theirs[0] / theirs[1])
        if _breaks(ours, limit, limits):
            reason = f"both arms break the limit of {limit:.0%}: the control {what} {share} of its answers, "
            reason += f"the treatment {what} {percent(ours[0] / ours[1])}: look upstream"
            return Verdict(kind="control-unhealthy", signal=signal, reason=reason)
        reason = f"the control itself {what} {share} of its answers, limit {limit:.0%}: look upstream"
        return Verdict(kind="control-unhealthy", signal=signal, reason=reason)
    return None


def _loops(stats: WindowStats) -> tuple[int, int]:
    return stats.repetitions, stats.outputs


def _failures(stats: WindowStats) -> tuple[int, int]:
    return stats.failures, stats.outputs + stats.failures


def _breaks(counts: tuple[int, int], limit: float, limits: Thresholds) -> bool:
    hits, total = counts
    if total < limits.min_outputs or hits <= limit * total:
        return False
    return excess_nats(hits, total, min(limit, HEALTHY_SHARE)) >= BREACH_NATS


def floor_findings(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Iterator[Verdict]:
    """What breaks a limit or is worth watching, once the treatment has enough answers."""
    relative = control.outputs + control.failures >= limits.min_outputs
    hits, total = _loops(treatment)
    rate = treatment.repetition_rate
    if rate > limits.repetition and (relative or not _loops_too(control, limits)):
        usual = max(min(limits.repetition, HEALTHY_SHARE), control.repetition_rate if relative else 0.0)
        if excess_nats(hits, total, usual) >= BREACH_NATS:
            reason = f"{percent(rate)} of answers loop, limit {limits.repetition:.0%}{_times(control, rate)}"
            yield Verdict(kind="breach", signal="repetition", reason=reason)
    yield from _feedback(control, treatment, limits)
    if relative:
        yield from _shares(control, treatment, limits)
        yield from _length(control, treatment, limits)


def _loops_too(control: WindowStats, limits: Thresholds) -> bool:
    """Whether a control that has not answered enough yet seems to break the absolute limit too: nobody is put back on
    it before that is known."""
    hits, total = _loops(control)
    return hits > limits.repetition * total and excess_nats(hits, total, HEALTHY_SHARE) >= SUSPECT_NATS


def loops_alike(treatment: tuple[int, int], control: tuple[int, int]) -> bool:
    """Whether a control that answered beside a looping treatment loops too: more than a healthy model does, and not
    clearly less than the treatment. Counts are loops and answers."""
    too_much = excess_nats(*control, HEALTHY_SHARE) >= SUSPECT_NATS
    return too_much and apart_nats(*treatment, *control) < APART_NATS


def _shares(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Iterator[Verdict]:
    refusals, theirs = (treatment.refusals, treatment.outputs), (control.refusals, control.outputs)
    rows = (
        ("repetition", "loops", None, limits.alert_delta, _loops(treatment), _loops(control)),
        ("refusal", "refusals", limits.refusal_delta, limits.alert_delta, refusals, theirs),
        ("failures", "failed answers", limits.failure_delta, None, _failures(treatment), _failures(control)),
    )
    for signal, name, breach, watch, (hits, total), (other, other_total) in rows:
        rise = hits / total - other / other_total if total and other_total else 0.0
        if rise <= min(1.0 if breach is None else breach, 1.0 if watch is None else watch):
            continue
        nats = apart_nats(hits, total, other, other_total)
        said = f"{name} {rise * 100:+.1f} points over the control"
        if breach is not None and rise > breach and nats >= BREACH_NATS:
            yield Verdict(kind="breach", signal=signal, reason=f"{said}, limit +{breach:.0%}")
        elif nats >= WATCH_NATS:
            yield Verdict(kind="watch", signal=signal, reason=said)


def _feedback(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Iterator[Verdict]:
    """What users said. Few do, and one of them may say it often: it is worth a look, and rolls nobody back."""
    for signal, what, (bad, good), (other_bad, other_good) in (
        ("ratings", "bad ratings", (treatment.downs, treatment.ups), (control.downs, control.ups)),
        ("tasks", "tasks left undone", _tasks(treatment), _tasks(control)),
        ("sessions", "sessions that end", _sessions(treatment), _sessions(control)),
    ):
        total, other = bad + good, other_bad + other_good
        rise = bad / total - other_bad / other if total and other else 0.0
        if rise > limits.alert_delta and apart_nats(bad, total, other_bad, other) >= WATCH_NATS:
            yield Verdict(kind="watch", signal=signal, reason=f"{what} {rise * 100:+.1f} points over the control")


def _tasks(stats: WindowStats) -> tuple[int, int]:
    return stats.tasks_open, stats.tasks_done


def _sessions(stats: WindowStats) -> tuple[int, int]:
    return stats.sessions_over, stats.sessions_on


def _length(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Iterator[Verdict]:
    if control.mean_words is None or treatment.mean_words is None:
        return
    # The lesson's guard: a control that says next to nothing is no measure for length.
    ratio = treatment.mean_words / max(control.mean_words, 1.0)
    low, high = limits.length_ratio
    if min(low, limits.length_alert) <= ratio <= high and ratio >= limits.length_alert:
        return
    nats = means_apart_nats(
        treatment.mean_words,
        treatment.sd_words or 0.0,
        treatment.outputs,
        control.mean_words,
        control.sd_words or 0.0,
        control.outputs,
    )
    said = f"answers are {ratio:.2f} times as long as the control's"
    kind: VerdictKind = "watch" if low <= ratio <= high else "breach"
    if nats >= (BREACH_NATS if kind == "breach" else WATCH_NATS):
        yield Verdict(
            kind=kind,
            signal="length",
            reason=f"{said}, limits {low:.2f} to {high:.2f}" if kind == "breach" else said,
        )


def _times(control: WindowStats, rate: float) -> str:
    theirs = control.repetition_rate
    if not control.outputs:
        return ""
    return f", {rate / theirs:.1f}x the control" if theirs > 0 else ", the control does not loop"
