"""What an incident's figures say, in sentences: when it began, what was done just before, and whom it hits."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from quantdeck_core.incident.trend import BUCKET_S, TrendCell, TrendRow
from quantdeck_core.protocol.experiment import TimelineEntry

SIGNALS = ("repetition", "refusal", "garbled", "failures")
RISE = 0.05
"""The lesson's alert: five points over the control, or over the time before."""
ENOUGH = 10
"""Answers of one arm in a span; less says nothing about it."""
BEFORE_S = 900.0
"""What was done within a quarter of an hour before may be the cause."""
CAUSES = ("restart", "replace", "deploy", "weight", "clear", "engine", "create")
"""Kinds of lines in a timeline that change what users get, those that say most of it first."""
_MOST_CAUSES = 3
_SPAN = 5
"""Buckets that are looked at together: a single minute has too few answers."""
_CONTRAST = 3.0
"""A group that shows it so many times as often as the others is where it is."""


class Onset(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that rose.

    Attributes:
        t: UNIX time, seconds, of the minute in which it began.
        before: share before, None where nothing was answered then; `after` since.
        control_after: the control's share since; None where it answered nothing.
    """

    signal: str
    t: float
    before: float | None
    after: float
    control_after: float | None


def onset(points: Sequence[TrendRow]) -> Onset | None:
    """The largest rise of a signal of the treatment, over the control and over its own past; None without one."""
    control, treatment = (Spans([row.control for row in points]), Spans([row.treatment for row in points]))
    found = [one for signal in SIGNALS if (one := _onset_of(points, control, treatment, signal))]
    return max(found, key=lambda one: one.after - (one.control_after or 0.0), default=None)


class Spans:
    """Sums of an arm's cells over any span, without adding them up again."""

    def __init__(self, cells: Sequence[TrendCell]) -> None:
        self._until = list(accumulate(cells, initial=TrendCell()))

    def sum(self, start: int, end: int | None = None) -> TrendCell:
        """From one index to before another, or to the end."""
        last = len(self._until) - 1
        return self._until[last if end is None else min(end, last)] - self._until[start]


def _onset_of(points: Sequence[TrendRow], control: Spans, treatment: Spans, signal: str) -> Onset | None:
    for index, point in enumerate(points):
        if not point.treatment.share(signal):
            continue
        span = treatment.sum(index, index + _SPAN)
        if span.outputs + span.failures < ENOUGH:
            continue
        before = treatment.sum(0, index)
        reference = before.share(signal) if before.outputs >= ENOUGH else None
        rate = span.share(signal) or 0.0
        beside = control.sum(index, index + _SPAN).share(signal)
        base = max(
            reference or 0.0, 0.0 if beside is None else min(beside, reference if reference is not None else 1.0)
        )
        if rate - base > RISE:
            after = treatment.sum(index).share(signal) or rate
            return Onset(
                signal=signal, t=point.t, before=reference, after=after, control_after=control.sum(index).share(signal)
            )
    return None


def findings(
    points: Sequence[TrendRow],
    by_length: Sequence[TrendRow],
    by_segment: Sequence[TrendRow],
    timeline: Sequence[TimelineEntry],
) -> tuple[str, ...]:
    """What stands out, the most important first; one sentence saying so where nothing does.

    Args:
        points: a row a minute, oldest first.
        by_length, by_segment: the same answers since the onset, in groups.
        timeline: of the experiment and of its engines, oldest first.
    """
    began = onset(points)
    if began is None:
        return ("No signal of the treatment rose by more than 5 points in the last twelve hours.",)
    said = [_when(began), _who(began)]
    causes = _causes(timeline, began.t)
    said += [f"{_ago(began.t - one.t)}: {one.text} ({one.by})." for one in causes]
    if not causes:
        said.append(
            "Nothing was deployed, restarted or re-weighted in the quarter of an hour before: look at the traffic."
        )
    said += [text for groups in (by_length, by_segment) if (text := _where(groups, began.signal))]
    return tuple(said)


def _causes(timeline: Sequence[TimelineEntry], t: float) -> list[TimelineEntry]:
    """What was done shortly before a UNIX time or in its minute: of each line the first, the most telling of them."""
    near = [one for one in timeline if one.kind in CAUSES and 0 <= t + BUCKET_S - one.t <= BEFORE_S + BUCKET_S]
    first = {one.text: one for one in reversed(near)}
    telling = sorted(first.values(), key=lambda one: (CAUSES.index(one.kind), one.t > t, -one.t))[:_MOST_CAUSES]
    return sorted(telling, key=lambda one: one.t)


def _when(began: Onset) -> str:
    clock = datetime.datetime.fromtimestamp(began.t, datetime.UTC).strftime("%H:%M UTC")
    before = "" if began.before is None else f" from {began.before:.1%}"
    return f"The treatment's {_NAMES[began.signal]} rose at {clock}{before} to {began.after:.1%}."


_NAMES = {
    "repetition": "share of looping answers",
    "refusal": "share of refusals",
    "garbled": "share of garbled answers",
    "failures": "share of failed answers",
}


def _who(began: Onset) -> str:
    if began.control_after is None:
        return "The control answered nothing since, so whether it would do the same is unknown: run a replay."
    if began.after - began.control_after <= RISE:
        return f"The control rose too ({began.control_after:.1%}): look upstream of the quantization."
    return f"The control did not ({began.control_after:.1%}): it is in the treatment, not in the traffic."


def _ago(seconds: float) -> str:
    if seconds < BUCKET_S:
        return "In the same minute"
    minutes = round(seconds / 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''} before"


def _where(groups: Sequence[TrendRow], signal: str) -> str:
    shares = [
        (row.label, share)
        for row in groups
        if row.treatment.outputs + row.treatment.failures >= ENOUGH
        and (share := row.treatment.share(signal)) is not None
    ]
    if len(shares) < 2:
        return ""
    shares.sort(key=lambda one: one[1], reverse=True)
    (worst, high), rest = shares[0], shares[1:]
    others = sum(share for _, share in rest) / len(rest)
    if high > _CONTRAST * others and high - others > RISE:
        return f"It is in {worst}: {high:.1%}, {others:.1%} elsewhere."
    return f"It is alike in {', '.join(f'{label} ({share:.1%})' for label, share in sorted(shares))}."
