"""Collects what the question "can we roll back?" needs."""

from __future__ import annotations

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.gateway.router import Router
from quantdeck_core.profile.room import room_for_requests
from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.protocol.experiment import RollbackRecord
from quantdeck_core.protocol.gateway import ArmCounters
from quantdeck_core.protocol.traffic import ArmLimits
from quantdeck_core.rollout.cold_start import start_seconds
from quantdeck_core.rollout.readiness import ControlReplica, ReadinessFacts


def readiness_facts(
    experiment: str,
    control: str,
    *,
    engines: Engines,
    router: Router | None,
    limits: ArmLimits,
    now: float,
    last_rollback: RollbackRecord | None = None,
    last_drill: DrillRecord | None = None,
    rps: float | None = None,
    control_e2e_s: float | None = None,
    starting: str = "",
) -> ReadinessFacts:
    """Facts at a UNIX time.

    Args:
        control: name of its engine; `limits` are its arm's.
        rps: requests a second of both arms, and mean seconds of the control's answers, where they are measured.
        starting: what goes on to bring it back, where the agent does so.
    """
    serving, proven = engines.serving(control), engines.proven(control, now)
    deployment = engines.deployment(control)
    counters = router.counters(experiment) if router and router.running else None
    ejected = {one.name: one.ejected for one in counters[0].replicas if not one.removed} if counters else {}
    room = limits.max_in_flight or room_for_requests(one.profile for one in serving)
    return ReadinessFacts(
        engine=control,
        replicas=tuple(
            ControlReplica(
                name=one.key,
                warm=one.ready_s is not None,
                answered=proven.get(one.key),
                ejected=ejected.get(one.key, ""),
            )
            for one in serving
        ),
        wanted=deployment.replicas if deployment else 1,
        starting=starting or _starting(engines, control),
        gateway=router is not None and router.running,
        room=room,
        queue=limits.max_queue,
        in_flight=sum(arm.in_flight for arm in counters or ()),
        waiting=sum(_waiting(arm) for arm in counters or ()),
        rps=rps,
        control_e2e_s=control_e2e_s,
        rollback_s=last_rollback.effective_ms / 1000 if last_rollback else None,
        start_s=start_seconds(engines.operations.all(), control),
        last_drill=last_drill,
    )


def _waiting(arm: ArmCounters) -> int:
    return arm.overload.waiting


def _starting(engines: Engines, engine: str) -> str:
    operation = engines.operations.of_engine(engine)
    if operation is None or operation.kind == "stop":
        return ""
    step = operation.current
    if step is None:
        return operation.kind
    return f"{step.name} {step.fraction * 100:.0f} %" if step.fraction is not None else step.name
