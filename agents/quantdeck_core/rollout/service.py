"""Whether a treatment keeps the latency objective and the error rate of its plan."""

from __future__ import annotations

import math

import msgspec

from quantdeck_core.rollout.plan import PlanGate


class ServiceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of the treatment over the judge's window.

    Attributes:
        ttft_p95_ms, itl_p95_ms, e2e_p95_ms: 95th percentiles; None where nothing was measured.
        error_rate: share of failed answers, None without any answer.
    """

    ttft_p95_ms: float | None = None
    itl_p95_ms: float | None = None
    e2e_p95_ms: float | None = None
    error_rate: float | None = None


def check_slo(gate: PlanGate, figures: ServiceFigures) -> tuple[bool, str]:
    """Whether the latency objective holds, and else why not. What is not measured does not hold."""
    for name, limit, value in (
        ("time to first token", gate.ttft_p95_ms, figures.ttft_p95_ms),
        ("time between tokens", gate.itl_p95_ms, figures.itl_p95_ms),
        ("time of a whole answer", gate.e2e_p95_ms, figures.e2e_p95_ms),
    ):
        if limit is None:
            continue
        if value is None or not math.isfinite(value):
            return False, f"the {name} (p95) is not measured, its limit is {limit:g} ms"
        if value > limit:
            return False, f"the {name} (p95) is {value:.0f} ms, its limit is {limit:g} ms"
    return True, ""


def check_errors(gate: PlanGate, figures: ServiceFigures) -> tuple[bool, str]:
    """Whether the error rate holds, and else why not. Without any answer there is no error to hold against it."""
    rate = figures.error_rate
    if rate is None:
        return True, ""
    if not math.isfinite(rate):
        return False, "the share of failed answers is not measured"
    if rate > gate.error_rate:
        return False, f"{rate:.1%} of the answers failed, the limit is {gate.error_rate:.1%}"
    return True, ""


def numbers_missing(figures: ServiceFigures) -> str:
    """Which figure is no number; empty where all that is there is one. NaN counts as missing metrics."""
    for name in ServiceFigures.__struct_fields__:
        value = getattr(figures, name)
        if value is not None and not math.isfinite(value):
            return f"{name} is {value}"
    return ""
