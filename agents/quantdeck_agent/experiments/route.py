"""An experiment as the gateway is to serve it."""

from __future__ import annotations

from quantdeck_agent.engines.command import api_key
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_core.profile.room import room_for_requests
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Replica
from quantdeck_core.protocol.traffic import ArmLimits
from quantdeck_core.rollout.state import wanted_shadow

Serving = tuple[EngineRecord, ...]
"""Ready replicas of one engine."""


def experiment_route(record: ExperimentRecord, control: Serving, treatment: Serving) -> ExperimentRoute:
    """Its split, with the engines that serve now."""
    traffic = record.traffic
    return ExperimentRoute(
        name=record.name,
        served_name=record.served_name,
        weight_bp=0 if record.finished else record.state.weight_bp,
        control=_arm(control, traffic.control),
        # Who was on its way to the treatment when it became the baseline finds it on either arm.
        treatment=_arm(control if record.finished else treatment, traffic.treatment),
        unkeyed=traffic.unkeyed,
        pinned=traffic.pinned,
        tester_header=traffic.tester_header,
        shadow=wanted_shadow(record.state) or traffic.shadow,
        latched=record.state.latched,
        cut_loops=traffic.cut_loops,
        keep_flagged=all(one.profile.keep_flagged for one in (*control, *treatment)),
    )


def epoch_of(serving: Serving) -> int:
    """What the answers of these replicas are judged as: the newest of what they serve."""
    return max((one.epoch for one in serving), default=0)


def _arm(serving: Serving, limits: ArmLimits) -> Arm:
    replicas = tuple(
        Replica(name=one.key, url=one.url, api_key=api_key(one.profile), model=one.profile.upstream_model or None)
        for one in serving
    )
    room = room_for_requests(one.profile for one in serving)
    return Arm(replicas=replicas, generation=epoch_of(serving), limits=limits.with_room(room))
