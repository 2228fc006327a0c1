"""The other hosts of a model that one host cannot hold.

They are waited for without a deadline: a host may be away for hours, and all goes on once it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from quantdeck_core.engines.ray import awaited
from quantdeck_core.profile.nodes import Placement

POLL_S = 0.5
CONNECT_S = 2.0


async def missing_hosts(placement: Placement) -> AsyncIterator[str]:
    """The first of the hosts that does not answer yet, in words, again and again until all do."""
    for member, port in awaited(placement):
        while not await _answers(member.address, port):
            yield f"waiting for {member.host} ({member.at(port - member.port)})"
            await asyncio.sleep(POLL_S)


async def _answers(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
