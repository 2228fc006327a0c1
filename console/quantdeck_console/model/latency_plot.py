"""One latency of both arms as lines: percentiles, and a bar for each bucket, with the objective between them.

Both arms have the same buckets and the same scale: a bar is the share of its own arm's observations, since a treatment
with a tenth of the users is not ten times as fast.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import Line, Span, ends, fit, left, line, right, span, width_of
from quantdeck_core.fleet.cells import NONE, count, short_duration
from quantdeck_core.protocol.distributions import Counted, Distribution, Distributions, LatencySignal, Objective


class Signal(NamedTuple):
    """How it is called, what it is, and what its objective is about where that is something else."""

    title: str
    what: str
    judged: str = ""


SIGNALS: dict[LatencySignal, Signal] = {
    "ttft": Signal("TTFT", "to the first event of a stream"),
    "itl": Signal("ITL", "between two events of a stream", "of means"),
    "e2e": Signal("E2E", "to the last byte, failed ones too"),
}
_WHOSE = {"experiment": "SLO", "plan": "plan"}
LABEL = 10
"""Columns of ``p50/95/99``, and a blank."""
_SHARE = 5
_ROOMY = 28
"""Columns of an arm in which all percentiles stand side by side."""


class Plot(NamedTuple):
    """One signal of both arms.

    Attributes:
        bounds: upper bounds of the buckets, seconds.
        arms: control and treatment.
        objectives: those of this signal, the strictest first.
    """

    signal: LatencySignal
    bounds: tuple[float, ...]
    arms: tuple[Counted, Counted]
    objectives: tuple[Objective, ...]

    @classmethod
    def of(
        cls, told: Distributions, pair: tuple[Distribution, Distribution], signal: LatencySignal, *, whole: bool
    ) -> Plot:
        """What an agent told of a signal."""
        control, treatment = pair
        mine = sorted((one for one in told.objectives if one.signal == signal), key=lambda one: one.p95_ms)
        return cls(
            signal, control.bounds_s, (control.counted(whole=whole), treatment.counted(whole=whole)), tuple(mine)
        )

    def bucket(self, seconds: float) -> int:
        """Which one a duration falls into."""
        return bisect_left(self.bounds, seconds)

    def first_beyond(self, objective: Objective) -> int:
        """The first bucket that lies wholly above an objective."""
        return self.bucket(objective.p95_ms / 1000) + 1

    @property
    def shown(self) -> range:
        """The buckets from the first to the last that says something; none where nothing was observed."""
        filled = [at for at in range(len(self.bounds) + 1) if any(_at(arm.counts, at) for arm in self.arms)]
        if not filled:
            return range(0)
        marks = [self.bucket(one.p95_ms / 1000) for one in self.objectives]
        return range(min(filled + marks), max(filled + marks) + 1)


def plot_lines(plot: Plot, names: tuple[str, str], width: int, glyphs: Glyphs) -> list[Line]:
    """A heading, counts, percentiles and bars, in so many cells; `names` are the arms' profiles, where known."""
    arm = (width - 2 - LABEL) // 2
    signal = SIGNALS[plot.signal]
    objectives = ", ".join(map(_objective, plot.objectives))
    promised = span(f"{objectives} {signal.judged}".rstrip() + " ", "strong") if objectives else Span("")
    title = line(" ", span(signal.title, "title"), span(f"  {signal.what}", "dim"))
    if width_of((*title, promised)) >= width:
        title = title[:2]
    heads = zip(("CONTROL", "TREATMENT"), names if arm >= _ROOMY else ("", ""), strict=True)
    return [
        ends(title, (promised,), width),
        arms_row("", [line(span(fit(f"{word} {name}".rstrip(), arm - 1), "head")) for word, name in heads], arm),
        arms_row("counted", [line(count(one.total)) for one in plot.arms], arm),
        *_percentiles(plot, arm),
        *_bars(plot, arm, width, glyphs),
    ]


def arms_row(label: str, cells: Sequence[Line], arm: int) -> Line:
    """What stands of control and treatment, each padded to so many columns."""
    parts: list[Span] = [Span(" "), *left(label, LABEL, "dim")]
    for cell in cells:
        parts += (*cell, Span(" " * max(0, arm - width_of(cell))))
    return tuple(parts)


def _percentiles(plot: Plot, arm: int) -> list[Line]:
    """In one row where there is room for it."""
    cells = [[_percentile(plot, one, q) for q in (50, 95, 99)] for one in plot.arms]
    if arm < _ROOMY:
        return [arms_row(f"p{q}", [(cell[at],) for cell in cells], arm) for at, q in enumerate((50, 95, 99))]
    return [arms_row("p50/95/99", [(p50, Span(" / "), p95, Span(" / "), p99) for p50, p95, p99 in cells], arm)]


def _percentile(plot: Plot, arm: Counted, q: int) -> Span:
    if arm.percentiles is None:
        return Span(NONE, "dim")
    value = {50: arm.percentiles.p50_ms, 95: arm.percentiles.p95_ms, 99: arm.percentiles.p99_ms}[q]
    at = bisect_left(tuple(accumulate(arm.counts)), arm.total * q / 100)
    text = short_duration(value) if at < len(plot.bounds) else f">{_bound(plot.bounds[-1])}"
    if q != 95 or not plot.objectives:
        return Span(text)
    strictest = plot.objectives[0]
    if at >= plot.first_beyond(strictest):
        return Span(f"{text} over !", "warn")
    between = at == plot.bucket(strictest.p95_ms / 1000) and strictest.p95_ms / 1000 not in plot.bounds
    # Where in the bucket it lies, and so on which side of the objective, the gateway does not know.
    return Span(f"{text} near ?", "strong") if between else Span(text)


def _bars(plot: Plot, arm: int, width: int, glyphs: Glyphs) -> Iterator[Line]:
    shown = plot.shown
    if not shown:
        yield line(span(" nothing was counted: only streams have it", "dim"))
    top = max((_share(one, at) for one in plot.arms for at in shown), default=0.0)
    rules = _rules(plot)
    beyond = min((plot.first_beyond(one) for one in plot.objectives), default=len(plot.bounds) + 1)
    for at in (*shown, shown.stop):
        for text in rules.get(at, ()):
            start = glyphs.rule * 2
            yield line(" ", span(fit(f"{start} {text} ".ljust(width - 2, glyphs.rule), width - 2), "strong"))
        if at == shown.stop:
            return
        parts: list[Span] = [Span(" "), *left(_label(plot, at), LABEL, "dim")]
        for one in plot.arms:
            share = _share(one, at)
            bar = glyphs.plot(share / top, arm - 1 - _SHARE) if top else ""
            parts += left(bar, arm - 1 - _SHARE, "warn" if at >= beyond else "ok")
            parts += (*right(_percent(share), _SHARE), Span(" "))
        yield tuple(parts)


def _rules(plot: Plot) -> dict[int, list[str]]:
    """What is said before a bucket, or after the last one."""
    found: dict[int, list[str]] = {}
    for one in plot.objectives:
        seconds = one.p95_ms / 1000
        if seconds in plot.bounds:
            found.setdefault(plot.first_beyond(one), []).append(_objective(one))
        else:
            found.setdefault(plot.bucket(seconds), []).append(f"{_objective(one)} is in the next row")
    return found


def _objective(one: Objective) -> str:
    return f"{_WHOSE[one.of]} p95 {_bound(one.p95_ms / 1000)}"


def _label(plot: Plot, at: int) -> str:
    return f"to {_bound(plot.bounds[at])}" if at < len(plot.bounds) else f"> {_bound(plot.bounds[-1])}"


def _bound(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def _at(counts: Sequence[int], at: int) -> int:
    return counts[at] if at < len(counts) else 0


def _share(arm: Counted, at: int) -> float:
    return _at(arm.counts, at) / arm.total if arm.total else 0.0


def _percent(share: float) -> str:
    if share <= 0:
        return ""
    return "<1%" if share < 0.01 else f"{share * 100:.0f}%"
