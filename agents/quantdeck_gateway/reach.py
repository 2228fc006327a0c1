"""A new connection to a replica, and what it says of the replica where there is none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from quantdeck_gateway import upstream
from quantdeck_gateway.unreachable import GONE_MEANWHILE, Unreachable, unreachable

if TYPE_CHECKING:
    from quantdeck_gateway.arm import Arm
    from quantdeck_gateway.replica import Replica
    from quantdeck_gateway.upstream import UpstreamConnection

log = logging.getLogger("quantdeck.gateway")


async def reach(arm: Arm, replica: Replica, loop: asyncio.AbstractEventLoop) -> UpstreamConnection | Unreachable:
    """Connect when it is this one's turn; a failure counts against the replica unless it is this host's."""
    waited = replica.connecting.locked()
    async with replica.connecting:
        if waited and replica.standing.ejected:
            return GONE_MEANWHILE
        try:
            return await upstream.connect(replica, loop)
        except OSError as error:
            why = unreachable(error, replica.host)
    if not why.ours:
        arm.failed(replica, why.reason, loop.time())
    if why.ours or replica.failures == 1:
        log.warning("%s: the engine %s", replica.name, why.reason)
    return why
