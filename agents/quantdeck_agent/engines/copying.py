"""The first step of a deployment whose checkpoint is not on this host: it is fetched, and then looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_agent.engines.command import recipe_of
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.prepare import Preparer
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.operation import Operation

Told = Callable[[str, float | None], None]
"""Called with what goes on, and how much of it is done (0 to 1, None: unknown)."""
Fetch = Callable[[Profile, str, Told], Awaitable[None]]
"""Brings the checkpoint of a profile below the model root, for somebody; goes on where an earlier call broke off.

Raises:
    QuantdeckError: it could not be fetched, or is not what it should be.
"""


class Copier:
    """Fetches checkpoints.

    Args:
        fetch: does the transfer.
        preparer: checks what could not be checked before.
    """

    def __init__(self, fetch: Fetch, preparer: Preparer) -> None:
        self._fetch, self._preparer = fetch, preparer

    async def copy(self, operation: Operation, coming: list[Instance], told: Told) -> None:
        """Fetch it, and complete what is known of the processes that will load it.

        Raises:
            QuantdeckError: it could not be fetched, or it is refused now that it is here.
        """
        profile = operation.profile
        if profile is None:
            return
        await self._fetch(profile, operation.by, told)
        replicas = range(operation.replicas[0], operation.replicas[-1] + 1)
        prepared = await self._preparer.prepare(profile, replicas)
        prepared.require(bool(operation.forced), operation.by)
        for place, instance in enumerate(coming):
            known = msgspec.structs.replace(
                instance.record,
                model_path=prepared.model_path,
                fingerprint=prepared.fingerprint,
                planned_bytes=prepared.planned_bytes,
                gpus=prepared.gpus[place],
            )
            instance.record = msgspec.structs.replace(known, recipe=recipe_of(known))
