"""Typed calls to one agent about canaries, latency profiles, and questions to both arms."""

from __future__ import annotations

import asyncio

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol.canary import (
    ASK_DEADLINE_S,
    Ask,
    Asked,
    CanaryState,
    LatencyState,
    MeasureLatency,
    RunCanary,
)
from quantdeck_core.protocol.distributions import Distributions

POLL_S = 0.5
_SLACK_S = 10.0


class CanaryClient(AgentClient):
    """One agent's paths below an experiment.

    All calls raise `UnreachableError` where the agent does not answer and `RemoteError` where it refuses.
    """

    async def canary(self, experiment: str) -> CanaryState:
        """The last report, and whether a run is under way."""
        return await self._call("GET", f"/v1/experiments/{experiment}/canary", None, CanaryState)

    async def run_canary(self, experiment: str, ask: RunCanary) -> CanaryState:
        """Run it, or join the run that is under way, and wait for its end; minutes on a slow engine."""
        before = (await self.canary(experiment)).runs
        state = await self._call("POST", f"/v1/experiments/{experiment}/canary", ask, CanaryState)
        while state.running and state.runs == before:
            await asyncio.sleep(POLL_S)
            state = await self.canary(experiment)
        return state

    async def latency(self, experiment: str) -> LatencyState:
        """The profiles of the engines that serve now."""
        return await self._call("GET", f"/v1/experiments/{experiment}/latency", None, LatencyState)

    async def begin_latency(self, experiment: str, ask: MeasureLatency) -> LatencyState:
        """Begin to measure, or join what is under way."""
        return await self._call("POST", f"/v1/experiments/{experiment}/latency", ask, LatencyState)

    async def measure_latency(self, experiment: str, ask: MeasureLatency) -> LatencyState:
        """As `begin_latency`, and wait for its end."""
        before = (await self.latency(experiment)).runs
        state = await self.begin_latency(experiment, ask)
        while state.running and state.runs == before:
            await asyncio.sleep(POLL_S)
            state = await self.latency(experiment)
        return state

    async def distributions(self, experiment: str) -> Distributions:
        """How long users of both arms wait."""
        return await self._call("GET", f"/v1/experiments/{experiment}/distributions", None, Distributions)

    async def ask_arms(self, experiment: str, ask: Ask) -> Asked:
        """One prompt for one arm or both."""
        return await self._call("POST", f"/v1/experiments/{experiment}/ask", ask, Asked, ASK_DEADLINE_S + _SLACK_S)
