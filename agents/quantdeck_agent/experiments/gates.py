"""What must hold before a step, as this host knows it now."""

from __future__ import annotations

import time
from typing import Literal, Protocol

from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.hearing import Hearing
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.report import readiness_of
from quantdeck_core.errors import ConflictError
from quantdeck_core.rollout.events import Gates
from quantdeck_core.rollout.plan import PlanGate
from quantdeck_core.rollout.service import ServiceFigures, check_errors, check_slo, numbers_missing

CanaryWord = Literal["passed", "failed", "missing", "not-required"]


class Rehearsed(Protocol):
    """What is known of an arm beside its users' answers."""

    def canary(self, experiment: str) -> tuple[CanaryWord, str]:
        """How the fixed prompts went with what serves now, and why."""

    def too_slow(self, experiment: str, gate: PlanGate) -> str:
        """Why the latency that was measured of the treatment speaks against first users; empty where it does not."""


class Gatekeeper:
    """Collects the facts."""

    def __init__(
        self,
        registry: Registry,
        effects: Effects,
        hearing: Hearing,
        rehearsed: Rehearsed,
    ) -> None:
        self._registry, self._effects, self._hearing, self._rehearsed = registry, effects, hearing, rehearsed

    def of(self, controller: Controller) -> Gates:
        """The gates of one experiment."""
        record = controller.record
        gate = record.state.run.plan.gate if record.state.run else PlanGate()
        figures = self._figures(controller)
        slo_ok, slo_why = check_slo(gate, figures)
        errors_ok, errors_why = check_errors(gate, figures)
        canary, canary_why = self._rehearsed.canary(record.name)
        if canary == "missing" and not gate.canary:
            canary = "not-required"
        missing = self._hearing.missing(record.name, self._effects.router, time.monotonic())
        missing = missing or numbers_missing(figures)
        treatment = self._registry.serving(record.treatment)
        ready = readiness_of(controller, self._registry, self._effects.router, time.time())
        too_slow = self._rehearsed.too_slow(record.name, gate) if gate.latency_profile else ""
        frozen = self._registry.frozen
        return Gates(
            verdict=controller.verdict.kind,
            verdict_why=controller.verdict.reason,
            outputs=controller.outputs,
            metrics_fresh=not missing,
            metrics_why=missing,
            # Before its first user an arm has no figures of its own.
            slo_ok=slo_ok or record.state.weight_bp == 0,
            slo_why=slo_why,
            errors_ok=errors_ok,
            errors_why=errors_why,
            canary=canary,
            canary_why=canary_why,
            latency_profile=not too_slow,
            latency_why=too_slow,
            control_ready=bool(self._registry.serving(record.control)),
            treatment_ready=bool(treatment),
            can_roll_back=ready.can,
            roll_back_why=ready.why,
            frozen=f"{frozen.by}: {frozen.reason}" if frozen else "",
            serves=f"{record.treatment}.{controller.treatment.window.generation}" if treatment else "",
        )

    def require_no_failed_canary(self, record: ExperimentRecord) -> None:
        """Have the fixed prompts not fail on what serves now; without a result, people decide.

        Raises:
            ConflictError: they failed.
        """
        word, why = self._rehearsed.canary(record.name)
        if word == "failed":
            raise ConflictError(
                f"The fixed prompts find what {record.treatment} serves broken: {why}",
                "Mend it; or say with --reason why users may get it all the same, which is recorded.",
            )

    def _figures(self, controller: Controller) -> ServiceFigures:
        stats = controller.treatment.window.stats()
        ttft, itl, e2e = controller.treatment.latencies_p95()
        total = stats.outputs + stats.failures
        return ServiceFigures(
            ttft_p95_ms=ttft,
            itl_p95_ms=itl,
            e2e_p95_ms=e2e,
            error_rate=stats.failure_rate if total else None,
        )
