"""Canaries, latency profiles and questions to both arms, on the wire."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.canary.latency import LatencyProfile
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.requests import Change
from quantdeck_core.quality.signals import TextSignals

MAX_ASK_TOKENS = 1_000
ASK_DEADLINE_S = 120.0
"""For both arms together, which are asked at the same time."""


class RunCanary(Change, kw_only=True, frozen=True):
    """Ask the fixed prompts now; joins a run that is under way.

    Attributes:
        fresh: what the arms said before counts no more: another model was put there on purpose.
    """

    fresh: bool = False


class CanaryState(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment's canary stands.

    Attributes:
        running: a run is under way or waits for its turn.
        runs: that ended since the agent started; one more than before means a new report.
        report: the last one, whichever engines it was of.
        current: it is of the engines that serve now.
    """

    running: bool
    runs: int
    report: CanaryReport | None = None
    current: bool = False


class MeasureLatency(Change, kw_only=True, frozen=True):
    """Measure now.

    Attributes:
        variants: one after the other.
        with_users: also an arm that has users, who will feel it.
    """

    variants: tuple[VariantName, ...] = ("treatment",)
    with_users: bool = False


class LatencyState(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment's latency profiles stand.

    Attributes:
        runs: that ended since the agent started, `error` why the last one failed.
        treatment, control: of the engines that serve now; None where those were not measured.
    """

    running: bool
    runs: int
    error: ErrorInfo | None = None
    treatment: LatencyProfile | None = None
    control: LatencyProfile | None = None


class Ask(Change, kw_only=True, frozen=True):
    """One prompt for one arm or both, greedy. Neither it nor the answer is kept or logged."""

    prompt: Annotated[str, Meta(min_length=1, max_length=500_000)]
    variants: Annotated[tuple[VariantName, ...], Meta(min_length=1, max_length=2)] = ("control", "treatment")
    max_tokens: Annotated[int, Meta(ge=1, le=MAX_ASK_TOKENS)] = 200


class AskedArm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm's answer.

    Attributes:
        engine: the replica that was asked.
        text: as the model wrote it; whoever shows it strips control characters.
        signals: of the text.
        error: why there is no answer; empty where there is one.
    """

    variant: VariantName
    engine: str = ""
    text: str = ""
    finish: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    e2e_ms: float | None = None
    signals: TextSignals | None = None
    error: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the arms answered; `same` is whether their texts are the same, None where not both answered."""

    arms: tuple[AskedArm, ...]
    same: bool | None = None
