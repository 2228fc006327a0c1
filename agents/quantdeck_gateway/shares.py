"""What one of several workers gets of a config: the limits are for all of them together."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.gateway import Arm, GatewayConfig


def share(config: GatewayConfig, number: int, workers: int) -> GatewayConfig:
    """The part of worker `number` (from 0): all of it but the arms' limits, which add up to the whole.

    A limit below the number of workers gives each 1: a worker that may take nothing would refuse whom it accepts.
    """
    if workers == 1:
        return config
    experiments = tuple(
        msgspec.structs.replace(
            experiment,
            control=_arm(experiment.control, number, workers),
            treatment=_arm(experiment.treatment, number, workers),
        )
        for experiment in config.experiments
    )
    return msgspec.structs.replace(config, experiments=experiments)


def _arm(arm: Arm, number: int, workers: int) -> Arm:
    limits = arm.limits
    divided = msgspec.structs.replace(
        limits,
        max_in_flight=max(1, part(limits.max_in_flight, number, workers)),
        max_queue=part(limits.max_queue, number, workers),
    )
    return msgspec.structs.replace(arm, limits=divided)


def part(whole: int, number: int, workers: int) -> int:
    """The parts of all workers add up to the whole and differ by 1 at most."""
    return whole // workers + (number < whole % workers)
