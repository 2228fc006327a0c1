"""What is known of an arm beside its users' answers: the fixed prompts, and how fast it is."""

from __future__ import annotations

import asyncio
import time

from quantdeck_agent.canaries.latency import LatencyRunner
from quantdeck_agent.canaries.runner import CanaryRunner
from quantdeck_agent.canaries.target import ArmLoad, CanaryTarget, arm_targets
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.gates import CanaryWord
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.store import Store
from quantdeck_core.canary.latency import slo_breaches
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.rollout.events import SYSTEM, TreatmentFailed
from quantdeck_core.rollout.plan import PlanGate


class Rehearsals:
    """Canaries and latency profiles of a host's experiments; one engine is asked at a time."""

    def __init__(self, store: Store, registry: Registry, effects: Effects) -> None:
        self._registry, self._effects = registry, effects
        turn = asyncio.Lock()
        self.canaries = CanaryRunner(store, self._names, self.target, self._load, self._told, turn)
        self.latencies = LatencyRunner(store, self.target, self._load, turn)

    def forget(self, experiment: str) -> None:
        """It has ended."""
        self.canaries.forget(experiment)
        self.latencies.forget(experiment)

    def target(self, experiment: str) -> CanaryTarget | None:
        """Whom to ask; None where there is no such experiment."""
        controller = self._registry.find(experiment)
        if controller is None or controller.record.finished:
            return None
        record = controller.record
        return CanaryTarget(
            settings=record.canary,
            control=arm_targets("control", self._registry.serving(record.control)),
            treatment=arm_targets("treatment", self._registry.serving(record.treatment)),
            weight_bp=record.state.weight_bp,
        )

    def _names(self) -> tuple[str, ...]:
        return tuple(one.record.name for one in self._registry if not one.record.finished)

    def _load(self, experiment: str, variant: VariantName) -> ArmLoad:
        router = self._effects.router
        counters = router.counters(experiment) if router else None
        if counters is None:
            return ArmLoad()
        arm = counters[0] if variant == "control" else counters[1]
        return ArmLoad(in_flight=arm.in_flight, waiting=arm.overload.waiting)

    # What a rollout goes by

    def canary(self, experiment: str) -> tuple[CanaryWord, str]:
        """How the fixed prompts went with what serves now, and why."""
        report = self.canaries.current(experiment)
        if report is None:
            last = self.canaries.report(experiment)
            why = last.reason if last and last.outcome == "unavailable" else "the present engines were not asked yet"
            return "missing", why
        return ("passed" if report.outcome == "passed" else "failed"), report.reason

    def too_slow(self, experiment: str, gate: PlanGate) -> str:
        """Why the latency of what serves as the treatment now speaks against first users; empty where it does not.

        What breaks an objective with one request at a time does so under load too.
        """
        found = self.latencies.latency(experiment)
        if found is None or not found.complete:
            return "the latency of the treatment has not been measured yet"
        breaches = slo_breaches(
            found,
            ttft_p95_ms=gate.ttft_p95_ms,
            itl_p95_ms=gate.itl_p95_ms,
            e2e_p95_ms=gate.e2e_p95_ms,
            concurrency=1,
        )
        return f"the treatment is too slow without any load: {breaches[0]}" if breaches else ""

    def prepare(self, controller: Controller) -> None:
        """A plan waits for a latency profile: measure it, since the treatment has no users yet."""
        state, name = controller.record.state, controller.record.name
        if state.run is None or state.run.paused or state.weight_bp > 0 or not state.run.plan.gate.latency_profile:
            return
        ready = self._registry.serving(controller.record.treatment)
        known = self.latencies.state(name)
        if ready and known.treatment is None and not known.running and known.error is None:
            self.latencies.begin(name, ("treatment",), with_users=False)

    # What a canary leads to

    async def _told(self, experiment: str, report: CanaryReport) -> None:
        controller = self._registry.find(experiment)
        if controller is None:
            return
        now = time.time()
        controller.note(now, "canary", f"canary {report.outcome}: {report.reason}", SYSTEM)
        if report.outcome != "failed":
            return
        blamed = report.suspect if report.suspect in ("control", "both") else ""
        if controller.verdict.kind == "control-unhealthy":
            blamed = "control"  # what differs from a bad control is not bad for that
        if blamed:
            self._effects.page(controller, f"the canary failed on the {blamed}: {report.reason}")
            return
        ready = bool(self._registry.serving(controller.record.control))
        event = TreatmentFailed(reason=f"the canary failed: {report.reason}", control_ready=ready)
        await self._effects.change(controller, event, report.at)
