"""Typed calls to one agent about its pages."""

from __future__ import annotations

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol import alerts as messages


class AlertClient(AgentClient):
    """One agent's paths under `/v1/alerts`.

    All calls raise `UnreachableError` where the agent does not answer and `RemoteError` where it refuses.
    """

    async def alerts(self) -> messages.PageList:
        """Pages that go on, those that ended lately, and the receivers."""
        return await self._call("GET", "/v1/alerts", None, messages.PageList)

    async def acknowledge(self, page: int, ask: messages.Acknowledge) -> messages.Page:
        """Take it."""
        return await self._call("POST", f"/v1/alerts/{page}/acknowledge", ask, messages.Page)

    async def snooze(self, page: int, ask: messages.Snooze) -> messages.Page:
        """Quiet for a while."""
        return await self._call("POST", f"/v1/alerts/{page}/snooze", ask, messages.Page)

    async def hand_over(self, page: int, ask: messages.HandOver) -> messages.Page:
        """Give it to somebody else."""
        return await self._call("POST", f"/v1/alerts/{page}/handover", ask, messages.Page)
