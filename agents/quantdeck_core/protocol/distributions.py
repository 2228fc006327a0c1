"""How long users of both arms wait, as the gateway counts it: GET /v1/experiments/NAME/distributions."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.engines.latency import Percentiles

RECENT_S = 300.0
"""How far back `recent` looks."""

LatencySignal = Literal["ttft", "itl", "e2e"]
Cut = Literal["", "agent", "gateway", "engine"]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Durations by bucket.

    Attributes:
        counts: one for each bound, and a last one of what lies above all of them.
        percentiles: linear within a bucket; the last bound stands for what lies above it. None without any.
    """

    counts: tuple[int, ...]
    percentiles: Percentiles | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts)


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """One signal of one arm.

    Attributes:
        bounds_s: upper bounds of the buckets, seconds, rising.
        recent: of about the last `RECENT_S`, see `ArmDistributions.covers_s`.
        whole: since the gateway counts, whatever served.
    """

    bounds_s: tuple[float, ...]
    recent: Counted
    whole: Counted

    def counted(self, *, whole: bool) -> Counted:
        """All of it, or what came lately."""
        return self.whole if whole else self.recent


class ArmDistributions(msgspec.Struct, frozen=True, kw_only=True):
    """One arm.

    Attributes:
        covers_s: seconds that `recent` is of.
        cut: why they are fewer than `RECENT_S`: the `agent` has read the gateway only for so long, the `gateway` counts
            from zero since then, another `engine` serves since then. Empty where they are not.
        ttft: to the first event of a stream, counted at its end.
        itl: between two events of a stream, while it runs.
        e2e: to the last byte of any answer, also one that failed or was broken off.
    """

    covers_s: float
    cut: Cut
    ttft: Distribution
    itl: Distribution
    e2e: Distribution

    def of(self, signal: LatencySignal) -> Distribution:
        """One signal."""
        match signal:
            case "ttft":
                return self.ttft
            case "itl":
                return self.itl
            case "e2e":
                return self.e2e


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A highest 95th percentile.

    Attributes:
        of: whose: the `experiment`'s SLO, beyond which a treatment that is slower than the control is put back, or the
            `plan`'s gate, beyond which it goes no further.
    """

    signal: LatencySignal
    p95_ms: float
    of: Literal["experiment", "plan"]


class Distributions(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms.

    Attributes:
        age_s: seconds since the gateway told it; None where it never did.
        control, treatment: None until the gateway has told them.
        objectives: those that there are; the judge looks at its own window, and at an answer's mean for `itl`.
    """

    experiment: str
    age_s: float | None = None
    control: ArmDistributions | None = None
    treatment: ArmDistributions | None = None
    objectives: tuple[Objective, ...] = ()
