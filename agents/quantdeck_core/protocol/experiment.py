"""What an agent says about one experiment: both arms side by side, the verdict, and what happened when."""

from __future__ import annotations

import msgspec

from quantdeck_core.drift.learned import LearnedLimit
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import Verdict
from quantdeck_core.drift.window import WindowStats
from quantdeck_core.rollout.progress import RolloutProgress
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.state import RolloutState

TREND_BUCKET_S = 5.0
"""Seconds in one bucket of `ArmSummary.trend`."""


class ArmSummary(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One side of an experiment as measured.

    Attributes:
        engines: names of the engines that answer for it.
        ready: all of them are ready.
        users: distinct users seen since the experiment began (or the agent started).
        answers: finished answers in that time, `failures` those that failed.
        window: the last answers of the current generation, which the judge looks at.
        ttft_p50_ms, ttft_p95_ms: over the window's streamed answers, None without any.
        tokens_per_s: median of a single request, None where engines give no token counts.
        trend: share of looping answers, a bucket of `TREND_BUCKET_S` each, oldest first, None where none ended.
    """

    profile: str
    engines: tuple[str, ...]
    ready: bool
    users: int
    answers: int
    failures: int
    in_flight: int
    window: WindowStats
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None
    tokens_per_s: float | None = None
    trend: tuple[float | None, ...] = ()


class TimelineEntry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something that happened, as the audit recorded it.

    Attributes:
        t: UNIX time, seconds.
        kind: `weight`, `rollback`, `clear`, `verdict`, `deploy`, `replace`, `engine`, `create`, `lease`.
        by: the person or `quantdeck` itself.
    """

    t: float
    kind: str
    text: str
    by: str


class RollbackRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How the last rollback went.

    Attributes:
        at: UNIX time when the gateway acknowledged weight 0.
        from_bp: the weight it came from.
        outputs: answers of the treatment's last generation that had been judged by then.
        detection_to_zero_ms: from the last byte of the answer that broke the limit to weight 0 in the gateway;
            None where a person rolled back.
        effective_ms: from the decision to weight 0 in the gateway.
    """

    at: float
    by: str
    reason: str
    from_bp: int
    outputs: int
    effective_ms: float
    detection_to_zero_ms: float | None = None


class ExperimentStatus(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An experiment on one gateway."""

    name: str
    served_name: str
    state: RolloutState
    verdict: Verdict
    control: ArmSummary
    treatment: ArmSummary
    rollback: Readiness
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    """What the agent judges by, so that a console can say it of each signal."""
    gateway_revision: int
    """Revision that the gateway has acknowledged; `effective` is whether that holds the present weight."""
    effective: bool = True
    last_rollback: RollbackRecord | None = None
    signals: dict[str, Verdict] = {}
    """Each signal by itself, where it is not healthy."""
    learned: tuple[LearnedLimit, ...] = ()
    """What is usual here, once enough hours were heard."""
    left_out: int = 0
    """Answers that were not judged because their user had enough of them in the verdict."""
    timeline: tuple[TimelineEntry, ...] = ()
    """The newest last, at most 20."""
    progress: RolloutProgress | None = None
    """Of the plan that is carried out; `state` comes without it."""
    finished: bool = False
    """It has ended: the `control` is the baseline and serves everyone."""
