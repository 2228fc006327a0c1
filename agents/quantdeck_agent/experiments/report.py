"""What watchers are told of an experiment."""

from __future__ import annotations

import msgspec

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.arm import ArmTracker
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.gateway.router import Router
from quantdeck_core.protocol.experiment import ArmSummary, ExperimentStatus, RollbackReadiness, TimelineEntry
from quantdeck_core.protocol.gateway import ExperimentRoute


def experiment_status(
    controller: Controller,
    *,
    control: tuple[EngineRecord, ...],
    treatment: tuple[EngineRecord, ...],
    timeline: tuple[TimelineEntry, ...],
    router: Router | None,
    route: ExperimentRoute,
    now: float,
) -> ExperimentStatus:
    """One experiment as it is at a UNIX time; `control` and `treatment` are the ready replicas."""
    record = controller.record
    counters = router.counters(record.name) if router else None

    def arm(tracker: ArmTracker, engine: str, serving: tuple[EngineRecord, ...], in_flight: int) -> ArmSummary:
        return tracker.summary(
            now=now,
            profile=serving[0].profile.name if serving else "",
            engines=tuple(one.key for one in serving) or (engine,),
            ready=bool(serving),
            in_flight=in_flight,
        )

    return ExperimentStatus(
        name=record.name,
        served_name=record.served_name,
        state=msgspec.structs.replace(record.state, run=None, missing_s=0.0),  # `progress` says it in fewer bytes
        thresholds=record.thresholds,
        verdict=controller.verdict,
        control=arm(controller.control, record.control, control, counters[0].in_flight if counters else 0),
        treatment=arm(controller.treatment, record.treatment, treatment, counters[1].in_flight if counters else 0),
        rollback=readiness(record.control, control, router),
        gateway_revision=router.revision if router else 0,
        effective=router.acknowledged(route) if router else False,
        last_rollback=record.last_rollback,
        timeline=timeline,
        progress=controller.progress,
        finished=record.finished,
    )


def readiness(engine: str, control: tuple[EngineRecord, ...], router: Router | None) -> RollbackReadiness:
    """Whether everyone could be put back on the control engine now."""
    if not control:
        return RollbackReadiness(can=False, why=f"the control {engine} is not ready")
    if router is None or not router.running:
        return RollbackReadiness(can=False, why="the gateway does not answer")
    return RollbackReadiness(can=True)
