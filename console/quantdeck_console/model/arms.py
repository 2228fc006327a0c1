"""Both arms of an experiment as a table: one row a fact, control beside treatment beside the verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import Line, Span, Tone, fit, left
from quantdeck_core.drift.verdict import HEALTHY, Verdict
from quantdeck_core.fleet.cells import NONE, count, duration, mean_of, number, share_of, weight
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.experiment import TREND_BUCKET_S, ArmSummary, ExperimentStatus


class _Fact(NamedTuple):
    """A row: its label, the cell of an arm, and the signal that judges it."""

    label: str
    cell: Callable[[ArmSummary], str]
    signal: str = ""


_ANSWERS = (
    _Fact("answers", lambda arm: count(arm.answers)),
    _Fact("failures", lambda arm: count(arm.failures), "failures"),
)
_QUALITY = (
    _Fact("repetition", lambda arm: share_of(arm.window.repetitions, arm.window.outputs), "repetition"),
    _Fact("refusals", lambda arm: share_of(arm.window.refusals, arm.window.outputs), "refusal"),
    _Fact(
        "length, words",
        lambda arm: mean_of(arm.window.mean_words, arm.window.sd_words, arm.window.outputs),
        "length",
    ),
    _Fact("coherence", lambda arm: NONE if arm.window.coherence is None else f"{arm.window.coherence:.2f}"),
)
_BROKEN = (
    _Fact("garbled", lambda arm: share_of(arm.window.garbled, arm.window.outputs), "garbled"),
    _Fact("empty", lambda arm: share_of(arm.window.empty, arm.window.outputs), "empty"),
    _Fact("cut short", lambda arm: share_of(arm.window.truncated, arm.window.outputs), "truncated"),
)
_FEEDBACK = (
    _Fact("rated good / bad", lambda arm: _said(arm.window.ups, arm.window.downs), "ratings"),
    _Fact("tasks done / not", lambda arm: _said(arm.window.tasks_done, arm.window.tasks_open), "tasks"),
    _Fact("went on / ended", lambda arm: _said(arm.window.sessions_on, arm.window.sessions_over), "sessions"),
)
_SPEED = (
    _Fact("TTFT p50 / p95", lambda arm: _pair(arm.ttft_p50_ms, arm.ttft_p95_ms), "ttft"),
    _Fact("tokens/s a request", lambda arm: number(arm.tokens_per_s)),
    _Fact("in flight", lambda arm: count(arm.in_flight)),
)
_UNSEEN = {
    "itl": "between tokens",
    "e2e": "whole answers",
    "long-repetition": "long, repetition",
    "long-refusal": "long, refusals",
    "long-length": "long, length",
}
"""Signals that are judged, and of which an agent tells the verdict only; `long` are prompts above 2,000 tokens."""


class ArmColumns(NamedTuple):
    """Widths in cells."""

    label: int
    arm: int
    verdict: int

    @classmethod
    def for_width(cls, width: int) -> ArmColumns:
        """80 columns fit every interval; more room goes to the arms, as far as the eye still finds its row."""
        label = 19
        verdict = 14
        return cls(label=label, arm=min(36, max(12, (width - 2 - label - verdict - 2) // 2)), verdict=verdict)


def arm_lines(experiment: ExperimentStatus, width: int, glyphs: Glyphs) -> list[list[Line]]:
    """The table in its groups."""
    columns = ArmColumns.for_width(width)
    control, treatment = experiment.control, experiment.treatment
    facts = (*_ANSWERS, *_QUALITY, *_BROKEN, *_FEEDBACK, *_SPEED)
    signals = (fact.signal for fact in facts if fact.signal)
    verdicts = {signal: experiment.signals.get(signal, HEALTHY) for signal in signals}
    share = experiment.state.weight_bp

    def row(label: str, ours: Span, theirs: Span, verdict: Span) -> Line:
        cells = (left(ours.text, columns.arm, ours.tone), left(theirs.text, columns.arm, theirs.tone))
        return (
            Span(" "), *left(label, columns.label, "dim"), *cells[0], Span(" "), *cells[1], Span(" "),
            _fitted(verdict, columns),
        )  # fmt: skip

    def rows(facts: tuple[_Fact, ...]) -> list[Line]:
        return [
            row(
                fact.label,
                Span(fact.cell(control)),
                Span(fact.cell(treatment), _cell_tone(verdicts.get(fact.signal))),
                _words(verdicts.get(fact.signal)),
            )
            for fact in facts
        ]

    def told(fact: _Fact) -> bool:
        """Worth a row: something was counted, or is wrong."""
        cells = (fact.cell(control), fact.cell(treatment))
        return _is_wrong(verdicts[fact.signal]) or any(cell != NONE and not cell.startswith("0.0 %") for cell in cells)

    def unseen(signals: Iterable[str]) -> list[Line]:
        wrong = [(signal, one) for signal in signals if _is_wrong(one := experiment.signals.get(signal, HEALTHY))]
        return [
            (
                Span(" "), *left(_UNSEEN[signal], columns.label, "dim"),
                *left(one.reason, 2 * columns.arm + 1, _cell_tone(one)), Span(" "), _fitted(_words(one), columns),
            )
            for signal, one in wrong
        ]  # fmt: skip

    top = max((value or 0.0 for arm in (control, treatment) for value in arm.trend), default=0.0)
    top = max(top, experiment.thresholds.repetition)

    def trend(arm: ArmSummary, tone: Tone) -> Span:
        return Span(glyphs.sparkline(arm.trend, top, columns.arm - 1), tone)

    return [
        [
            row("", _head("CONTROL", control), _head("TREATMENT", treatment), Span("VERDICT", "head")),
            row("engines", _engines(control), _engines(treatment), Span("")),
            row("users", _users(BUCKETS - share, control), _users(share, treatment), Span("")),
            *rows(_ANSWERS),
        ],
        [
            *rows((*_QUALITY, *(fact for fact in (*_BROKEN, *_FEEDBACK) if told(fact)))),
            *unseen(signal for signal in _UNSEEN if signal.startswith("long-")),
        ],
        [*rows(_SPEED), *unseen(("itl", "e2e"))],
        [
            row(
                f"loops, last {_span_of(control, treatment)}",
                trend(control, "ok"),
                trend(treatment, "warn"),
                Span(f"of {top * 100:.0f} %", "dim"),
            )
        ],
    ]


def _head(word: str, arm: ArmSummary) -> Span:
    return Span(f"{word} {arm.profile}", "head")


def _engines(arm: ArmSummary) -> Span:
    names = ", ".join(arm.engines) or NONE
    return Span(f"{names} ready", "") if arm.ready else Span(f"{names} not ready !", "warn")


def _users(share_bp: int, arm: ArmSummary) -> Span:
    return Span(f"{weight(share_bp)}  {count(arm.users)} seen")


def _said(good: int, bad: int) -> str:
    return f"{count(good)} / {count(bad)}" if good or bad else NONE


def _pair(low: float | None, high: float | None) -> str:
    return NONE if low is None and high is None else f"{duration(low)} / {duration(high)}"


def _span_of(control: ArmSummary, treatment: ArmSummary) -> str:
    seconds = max(len(control.trend), len(treatment.trend)) * TREND_BUCKET_S
    return f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _words(verdict: Verdict | None) -> Span:
    if verdict is None:
        return Span("")
    match verdict.kind:
        case "healthy":
            return Span("healthy", "ok")
        case "watch":
            return Span("watch !", "warn")
        case "breach":
            return Span("over limit x", "fail")
        case _:
            return Span(f"needs {count(verdict.needed)} more", "dim")


def _cell_tone(verdict: Verdict | None) -> Tone:
    return "warn" if verdict and _is_wrong(verdict) else ""


def _is_wrong(verdict: Verdict) -> bool:
    return verdict.kind in ("watch", "breach")


def _fitted(verdict: Span, columns: ArmColumns) -> Span:
    return Span(fit(verdict.text, columns.verdict), verdict.tone)
