"""Logs of one agent, whatever carries the HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import msgspec

from quantdeck_console.link.agent_client import DEADLINE_S, AgentClient
from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.logs import HEARTBEAT_S, LogLine, LogSource, LogSources

SILENCE_S = 3 * HEARTBEAT_S
"""A log that is followed and says nothing for so long has lost its link."""


async def log_sources(client: AgentClient) -> tuple[LogSource, ...]:
    """Which logs there are.

    Raises:
        UnreachableError, RemoteError: as `AgentClient`.
    """
    return (await client.get("/v1/logs", LogSources)).sources


async def log_lines(client: AgentClient, source: str, lines: int, follow: bool) -> AsyncIterator[LogLine]:
    """The last lines of a log, then those that come.

    Raises:
        UnreachableError: the link broke.
        RemoteError: there is no such log, or too many read already.
    """
    decoder = msgspec.json.Decoder(LogLine)
    path = f"/v1/logs/{quote(source, safe=':')}?lines={lines}&follow={int(follow)}"
    async for line in client.lines(path, httpx.Timeout(DEADLINE_S, read=SILENCE_S)):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise UnreachableError(f"The agent sent a line that cannot be read: {error}.", "Update both.") from None
