"""Typed calls to one agent about what happened to an experiment, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import transport_of
from quantdeck_console.link.fleet_file import Host
from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.protocol.incident import IncidentReport, ReplayAsk, WhoAsk
from quantdeck_core.rollout.who import WhoAnswer

_REPLAY_DEADLINE_S = 600.0
"""Both arms answer up to 128 prompts anew, a few at a time."""


class IncidentClient(AgentClient):
    """One agent's paths of incidents.

    All calls raise `UnreachableError` where the agent does not answer and `RemoteError` where it refuses.
    """

    async def incident(self, experiment: str) -> IncidentReport:
        """The whole story, as it is known now."""
        return await self._call("GET", f"/v1/experiments/{experiment}/incident", None, IncidentReport)

    async def replay(self, experiment: str, ask: ReplayAsk) -> ReplayReport:
        """Ask the flagged prompts again."""
        path = f"/v1/experiments/{experiment}/replay"
        return await self._post(path, ask, ReplayReport, _REPLAY_DEADLINE_S)

    async def who(self, experiment: str, user: str) -> WhoAnswer:
        """Which arm a user is on, and why."""
        return await self._call("POST", f"/v1/experiments/{experiment}/who", WhoAsk(user=user), WhoAnswer)


@asynccontextmanager
async def incidents_of(host: Host) -> AsyncIterator[IncidentClient]:
    """A client for the incidents of one host.

    Raises:
        UnreachableError, LinkRefusedError: as `quantdeck_console.link.connect.agent_of`.
    """
    async with transport_of(host) as transport:
        client = IncidentClient(host.name, transport)
        try:
            yield client
        finally:
            await client.close()
