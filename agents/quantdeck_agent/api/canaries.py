"""The paths of canaries, latency profiles and questions to both arms."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.messages import answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.canaries.asking import ask_arms
from quantdeck_agent.canaries.latency import LatencyRunner
from quantdeck_agent.canaries.runner import CanaryRunner
from quantdeck_agent.canaries.target import TargetOf
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.canary import Ask, MeasureLatency, RunCanary


class CanaryApi:
    """Handlers. A run goes on when the asker is gone; asking again joins it."""

    def __init__(self, canaries: CanaryRunner, latencies: LatencyRunner, target: TargetOf) -> None:
        self._canaries, self._latencies, self._target = canaries, latencies, target

    def routes(self) -> list[Route]:
        """For the agent's application."""
        return [
            Route("/v1/experiments/{name}/canary", self.canary),
            Route("/v1/experiments/{name}/canary", self.run_canary, methods=["POST"]),
            Route("/v1/experiments/{name}/latency", self.latency),
            Route("/v1/experiments/{name}/latency", self.measure, methods=["POST"]),
            Route("/v1/experiments/{name}/ask", self.ask, methods=["POST"]),
        ]

    async def canary(self, request: Request) -> Response:
        """GET /v1/experiments/NAME/canary: the last report, and whether a run is under way."""
        return answer(self._canaries.state(self._known(request)))

    async def run_canary(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/canary: begin a run."""
        require(request, "operator")
        ask = await read(request, RunCanary)
        name = self._known(request)
        self._canaries.begin(name, fresh=ask.fresh)
        return answer(self._canaries.state(name))

    async def latency(self, request: Request) -> Response:
        """GET /v1/experiments/NAME/latency: the profiles of what serves now."""
        return answer(self._latencies.state(self._known(request)))

    async def measure(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/latency: begin to measure."""
        require(request, "operator")
        ask = await read(request, MeasureLatency)
        name = self._known(request)
        self._latencies.begin(name, ask.variants, with_users=ask.with_users)
        return answer(self._latencies.state(name))

    async def ask(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/ask: one prompt for one arm or both."""
        require(request, "operator")
        return answer(await ask_arms(self._known(request), await read(request, Ask), self._target))

    def _known(self, request: Request) -> str:
        name: str = request.path_params["name"]
        if self._target(name) is None:
            raise NotFoundError(f"No experiment is called {name!r} here.", "`quantdeck experiment list` shows them.")
        return name
