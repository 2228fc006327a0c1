"""What watchers are told of an experiment."""

from __future__ import annotations

import msgspec

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.arm import ArmTracker
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.readiness_facts import readiness_facts
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.gateway.router import Router
from quantdeck_core.protocol.experiment import ArmSummary, ExperimentStatus, TimelineEntry
from quantdeck_core.protocol.gateway import ExperimentRoute
from quantdeck_core.rollout.readiness import Readiness, readiness
from quantdeck_core.rollout.state import RolloutState


def experiment_status(
    controller: Controller,
    *,
    control: tuple[EngineRecord, ...],
    treatment: tuple[EngineRecord, ...],
    timeline: tuple[TimelineEntry, ...],
    router: Router | None,
    route: ExperimentRoute,
    readiness: Readiness,
    now: float,
) -> ExperimentStatus:
    """One experiment as it is at a UNIX time; `control` and `treatment` are the ready replicas."""
    record = controller.record
    counters = router.counters(record.name) if router else None

    def arm(tracker: ArmTracker, engine: str, serving: tuple[EngineRecord, ...], in_flight: int) -> ArmSummary:
        return tracker.summary(
            now=now,
            profile=serving[0].profile.name if serving else "",
            engines=tuple(one.key for one in serving) or ((engine,) if engine else ()),
            ready=bool(serving),
            in_flight=in_flight,
        )

    return ExperimentStatus(
        name=record.name,
        served_name=record.served_name,
        state=_shown(record),
        thresholds=record.thresholds,
        verdict=controller.verdict,
        signals={name: one for name, one in controller.judge.signals().items() if one.kind != "healthy"},
        learned=controller.judge.learned,
        left_out=controller.judge.left_out,
        control=arm(controller.control, record.control, control, counters[0].in_flight if counters else 0),
        treatment=arm(controller.treatment, record.treatment, treatment, counters[1].in_flight if counters else 0),
        rollback=readiness,
        gateway_revision=router.revision if router else 0,
        effective=router.acknowledged(route) if router else False,
        last_rollback=record.last_rollback,
        timeline=timeline,
        progress=controller.progress,
        finished=record.finished,
    )


def _shown(record: ExperimentRecord) -> RolloutState:
    """The state without the plan, of which `progress` says the same in fewer bytes."""
    state = msgspec.structs.replace(record.state, run=None, missing_s=0.0)
    # The baseline of an ended experiment is the control of the next one: everyone is on it.
    return msgspec.structs.replace(state, stage="fp16_only", weight_bp=0) if record.finished else state


def readiness_of(controller: Controller, registry: Registry, router: Router | None, now: float) -> Readiness:
    """Whether everyone could be put back on the control at a UNIX time."""
    if registry.engines is None:
        return Readiness(can=False, why="the agent is starting")
    record = controller.record
    rates = [one for one in (controller.control.answers_per_s(now), controller.treatment.answers_per_s(now)) if one]
    facts = readiness_facts(
        record.name,
        record.control,
        engines=registry.engines,
        router=router,
        limits=record.traffic.control,
        now=now,
        last_rollback=record.last_rollback,
        last_drill=record.last_drill,
        rps=sum(rates) if rates else None,
        control_e2e_s=controller.control.mean_e2e_s(),
        starting=registry.bringing.get(record.name, ""),
    )
    return readiness(facts, now)
