"""How long users of both arms wait, beside what was promised them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.gateway.router import Router
from quantdeck_core.drift.thresholds import Slo
from quantdeck_core.protocol.distributions import Distributions, LatencySignal, Objective
from quantdeck_core.rollout.plan import PlanGate


def distributions(record: ExperimentRecord, router: Router | None, now: float) -> Distributions:
    """Of one experiment at a monotonic time, seconds."""
    control, treatment = router.latencies.of(record.name) if router else (None, None)
    age_s = router.latencies.age_s(now) if router else None
    return Distributions(
        experiment=record.name,
        age_s=None if age_s is None else round(age_s, 1),
        control=control,
        treatment=treatment,
        objectives=tuple(_objectives(record)),
    )


def _objectives(record: ExperimentRecord) -> Iterator[Objective]:
    yield from _of(record.thresholds.slo, "experiment")
    if record.state.run:
        yield from _of(record.state.run.plan.gate, "plan")


def _of(limits: Slo | PlanGate, whose: Literal["experiment", "plan"]) -> Iterator[Objective]:
    signals: dict[LatencySignal, float | None] = {
        "ttft": limits.ttft_p95_ms,
        "itl": limits.itl_p95_ms,
        "e2e": limits.e2e_p95_ms,
    }
    for signal, limit in signals.items():
        if limit is not None:
            yield Objective(signal=signal, p95_ms=limit, of=whose)
