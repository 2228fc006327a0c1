"""When a treatment is put back. Defaults are those of the lesson *Deploying Quantized Models in Production*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.errors import InputError

Share = Annotated[float, Meta(ge=0, le=1)]
Ratio = Annotated[float, Meta(gt=0)]
Milliseconds = Annotated[float, Meta(gt=0)]
Tolerance = Annotated[float, Meta(ge=0, le=1)]
Preset = Literal["lesson", "customer-facing"]


class Slo(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What users were promised. An arm with more users is slower for that reason alone, so that latency is a breach
    only where it breaks one of these and is slower than the control beyond chance.

    Attributes:
        ttft_p95_ms, itl_p95_ms, e2e_p95_ms: highest 95th percentile over an arm's window; `itl` is an answer's mean.
        error_rate: highest share of failed answers. A control above it is unhealthy.
    """

    ttft_p95_ms: Milliseconds | None = None
    itl_p95_ms: Milliseconds | None = None
    e2e_p95_ms: Milliseconds | None = None
    error_rate: Share | None = None


class Sequential(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The tests against the concurrent control: `watch` by chance at most once in 1e6 answers of the treatment,
    `breach` once in 1e8, all signals together.

    Attributes:
        on: without them only the fixed limits decide.
        length_tolerance: relative change of the length that is nobody's concern.
        latency_tolerance: the same of each latency.
    """

    on: bool = True
    length_tolerance: Tolerance = 0.03
    latency_tolerance: Tolerance = 0.25


class Learning(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Limits at what this service shows by itself, hour by hour, day by day once there are 7 days.

    Attributes:
        watch_sd, breach_sd: standard deviations from the mean; the lesson says 2 to 3.
        min_blocks: hours with enough answers before anything is learned; the lesson says 24.
        min_outputs: answers of each arm that make an hour count.
    """

    on: bool = True
    watch_sd: Ratio = 2.0
    breach_sd: Ratio = 3.0
    min_blocks: Annotated[int, Meta(ge=24)] = 24
    min_outputs: Annotated[int, Meta(ge=10)] = 50


class Thresholds(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Limits of one experiment.

    Attributes:
        repetition: share of looping answers, absolute; above it is a breach.
        refusal_delta: share of refusals above the control's.
        length_ratio: mean length against the control's, lowest and highest. The lower bound is the lesson's, the upper
            ours: low-bit models also grow wordy (arXiv 2606.25519).
        failure_delta: share of failed answers above the control's; ours.
        alert_delta: a rise of repetition or refusals over the control that is worth watching.
        length_alert: mean length against the control's below which it is worth watching.
        min_outputs: no verdict on fewer answers of an arm.
        window: the last answers of each arm that count.
        user_limit: answers of one user that are judged among 500 of an arm; 0 for no bound.
    """

    preset: Preset = "lesson"
    repetition: Share = 0.15
    refusal_delta: Share = 0.10
    length_ratio: tuple[Ratio, Ratio] = (0.60, 1.60)
    failure_delta: Share = 0.10
    alert_delta: Share = 0.05
    length_alert: Share = 0.70
    min_outputs: Annotated[int, Meta(ge=1)] = 50
    window: Annotated[int, Meta(ge=50, le=100_000)] = 500
    user_limit: Annotated[int, Meta(ge=0)] = 5
    slo: Slo = Slo()
    sequential: Sequential = Sequential()
    learning: Learning = Learning()


PRESETS: dict[Preset, dict[str, Any]] = {
    "lesson": {},
    # The strict ends of the lesson's ranges for a customer-facing product: 8 to 10 % loops, 5 to 10 points more
    # refusals, 20 to 30 % shorter answers.
    "customer-facing": {
        "repetition": 0.08,
        "refusal_delta": 0.05,
        "length_ratio": (0.75, 1.35),
        "failure_delta": 0.05,
        "alert_delta": 0.03,
        "length_alert": 0.80,
    },
}


def thresholds_of(table: Mapping[str, Any]) -> Thresholds:
    """Limits as an experiment file has them: those of its `preset`, but for what it says itself.

    Raises:
        InputError: a preset that does not exist.
        msgspec.ValidationError: an unknown field, or a value out of range.
    """
    preset = table.get("preset", "lesson")
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}.", f"There are: {', '.join(PRESETS)}.")
    return msgspec.convert({**PRESETS[preset], **table}, Thresholds)
