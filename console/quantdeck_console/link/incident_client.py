"""Typed calls to one agent about what happened to an experiment, and to whom."""

from __future__ import annotations

from quantdeck_console.link.agent_client import AgentClient
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
        return await self._call("POST", path, ask, ReplayReport, _REPLAY_DEADLINE_S)

    async def who(self, experiment: str, user: str) -> WhoAnswer:
        """Which arm a user is on, and why."""
        return await self._call("POST", f"/v1/experiments/{experiment}/who", WhoAsk(user=user), WhoAnswer)
