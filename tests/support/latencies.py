"""Latency distributions and profiles as an agent would tell them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from quantdeck_core.canary.latency import LatencyLevel, LatencyProfile
from quantdeck_core.engines.histogram import CumulativeHistogram
from quantdeck_core.engines.latency import Percentiles, histogram_percentiles
from quantdeck_core.protocol.canary import LatencyState
from quantdeck_core.protocol.distributions import ArmDistributions, Counted, Cut, Distribution, Distributions, Objective
from quantdeck_core.protocol.gateway import VariantName
from support.fleets import NOW

TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
ITL = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
E2E = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""The gateway's buckets, seconds."""


def counted(bounds: Sequence[float], start: int, *counts: int) -> Counted:
    """So many in the buckets from one on."""
    row = [0] * (len(bounds) + 1)
    row[start : start + len(counts)] = counts
    below = CumulativeHistogram((*bounds, float("inf")), tuple(float(one) for one in accumulate(row)))
    return Counted(counts=tuple(row), percentiles=histogram_percentiles(below))


def distribution(bounds: tuple[float, ...], start: int, *counts: int) -> Distribution:
    """The same lately and, ten times as many, in all."""
    lately, whole = counted(bounds, start, *counts), counted(bounds, start, *(10 * one for one in counts))
    return Distribution(bounds_s=bounds, recent=lately, whole=whole)


def arm(covers_s: float = 312.0, cut: Cut = "", **signals: Distribution) -> ArmDistributions:
    """An arm that answers fast."""
    fast = {
        "ttft": distribution(TTFT, 4, 38, 240, 610, 705, 160, 42, 12, 5),
        "itl": distribution(ITL, 2, 1_400, 18_250, 9_804, 1_120, 84, 3),
        "e2e": distribution(E2E, 4, 212, 640, 884, 96, 12),
    }
    return ArmDistributions(covers_s=covers_s, cut=cut, **{**fast, **signals})


def slow_arm(**changes: object) -> ArmDistributions:
    """One whose users wait."""
    return arm(
        **{
            "ttft": distribution(TTFT, 7, 4, 61, 84, 22, 9, 15, 6),
            "itl": distribution(ITL, 3, 120, 1_840, 940, 310, 41, 8, 2),
            "e2e": distribution(E2E, 5, 14, 62, 88, 31, 6),
            **changes,  # type: ignore[arg-type]
        }
    )


def silent_arm(**changes: object) -> ArmDistributions:
    """One without a single answer."""
    empty = {"ttft": distribution(TTFT, 0), "itl": distribution(ITL, 0), "e2e": distribution(E2E, 0)}
    return arm(**{**empty, **changes})  # type: ignore[arg-type]


OBJECTIVES = (
    Objective(signal="ttft", p95_ms=500.0, of="experiment"),
    Objective(signal="itl", p95_ms=45.0, of="experiment"),
    Objective(signal="e2e", p95_ms=10_000.0, of="plan"),
)


def distributions(
    control: ArmDistributions | None = None, treatment: ArmDistributions | None = None, **changes: object
) -> Distributions:
    """Both arms, the treatment slow, told now."""
    told = {
        "experiment": "int4_v1",
        "age_s": 0.4,
        "control": control or arm(),
        "treatment": treatment or slow_arm(),
        "objectives": OBJECTIVES,
    }
    return Distributions(**{**told, **changes})  # type: ignore[arg-type]


def _percentiles(p95_ms: float) -> Percentiles:
    return Percentiles(count=16, p50_ms=p95_ms / 2, p95_ms=p95_ms, p99_ms=p95_ms * 1.2)


def profile(variant: VariantName, *ttft_p95_ms: float, note: str = "", errors: int = 0) -> LatencyProfile:
    """At 1, 2, 4 and 8 requests at once."""
    levels = tuple(
        LatencyLevel(
            concurrency=2**step,
            requests=16,
            errors=errors if step == len(ttft_p95_ms) - 1 else 0,
            ttft=_percentiles(ttft),
            itl=_percentiles(4.0 + ttft / 40),
            e2e=_percentiles(300.0 + 2.5 * ttft),
            tokens_per_s=206.0 * (step + 1),
        )
        for step, ttft in enumerate(ttft_p95_ms)
    )
    return LatencyProfile(variant=variant, engine=f"{variant}.1", epoch=1, at=NOW - 420, levels=levels, note=note)


def latency_state(**changes: object) -> LatencyState:
    """Both arms measured."""
    state = {
        "running": False,
        "runs": 2,
        "control": profile("control", 21.0, 26.0, 44.0, 92.0),
        "treatment": profile("treatment", 34.0, 61.0, 240.0, 910.0),
    }
    return LatencyState(**{**state, **changes})  # type: ignore[arg-type]
