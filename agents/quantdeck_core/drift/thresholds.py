"""When a treatment is put back. Defaults are those of the lesson *Deploying Quantized Models in Production*."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    """

    repetition: Share = 0.15
    refusal_delta: Share = 0.10
    length_ratio: tuple[Annotated[float, Meta(gt=0)], Annotated[float, Meta(gt=0)]] = (0.60, 1.60)
    failure_delta: Share = 0.10
    alert_delta: Share = 0.05
    length_alert: Share = 0.70
    min_outputs: Annotated[int, Meta(ge=1)] = 50
    window: Annotated[int, Meta(ge=50, le=100_000)] = 500
