"""The processes that an operation starts, before they are."""

from __future__ import annotations

import msgspec

from quantdeck_agent.engines.command import recipe_of
from quantdeck_agent.engines.prepare import port_for
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.protocol.operation import Operation


def coming_records(
    operation: Operation, program: EngineRecord, previous: EngineRecord | None, gpus: tuple[tuple[int, ...], ...],
    given_back: frozenset[int] = frozenset(),
) -> list[EngineRecord]:  # fmt: skip
    """The processes that an operation starts.

    Args:
        program: what they have in common.
        previous: a process that served until now, whose epoch goes on where the recipe is the same and nobody asked
            for another start.
        gpus: of each replica.
        given_back: ports that are free by the time that they start.

    Raises:
        PortInUseError: a port that the profile names is taken.
    """
    records = []
    recipe = recipe_of(program)
    goes_on = previous is not None and operation.kind in ("recover", "scale") and previous.recipe == recipe
    epoch = previous.epoch if previous is not None and goes_on else operation.generation
    for place, replica in enumerate(operation.replicas):
        record = msgspec.structs.replace(
            program,
            replica=replica,
            generation=operation.generation + place,
            epoch=epoch,
            recipe=recipe,
            gpus=gpus[place],
            port=0 if program.external else port_for(program.profile, replica, given_back),
        )
        records.append(record)
    return records
