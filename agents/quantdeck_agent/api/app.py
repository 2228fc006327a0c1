"""The paths of the agent. `docs/api.md` describes them for people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quantdeck_agent import __version__
from quantdeck_agent.api.history import HistoryApi
from quantdeck_agent.api.messages import answer, error_answer, read
from quantdeck_agent.api.metrics import MetricsApi
from quantdeck_agent.api.roles import require, role_of
from quantdeck_agent.engines.supervisor import Supervisor
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.hub import Hub
from quantdeck_agent.store import Store
from quantdeck_core.errors import NotFoundError, QuantdeckError
from quantdeck_core.protocol import requests
from quantdeck_core.protocol.host import PROTOCOL, Version

Change = TypeVar(
    "Change",
    requests.Deploy,
    requests.Stop,
    requests.CreateExperiment,
    requests.ChangeWeight,
    requests.Rollback,
    requests.ClearLatch,
)


class Api:
    """Handlers; each change is applied once for each request id, one change at a time."""

    def __init__(
        self,
        host: str,
        hub: Hub,
        store: Store,
        engines: Supervisor,
        experiments: Experiments,
        history: HistoryApi,
        metrics: MetricsApi,
    ) -> None:
        self._host, self._hub, self._store = host, hub, store
        self._history, self._metrics = history, metrics
        self._engines, self._experiments = engines, experiments
        self._one_at_a_time = asyncio.Lock()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/version", self.version),
                Route("/v1/status", self.status),
                Route("/v1/events", self.events),
                Route("/v1/engines", self.deploy, methods=["POST"]),
                Route("/v1/engines/{name}/stop", self.stop, methods=["POST"]),
                Route("/v1/experiments", self.create_experiment, methods=["POST"]),
                Route("/v1/experiments/{name}", self.experiment),
                Route("/v1/experiments/{name}/weight", self.change_weight, methods=["POST"]),
                Route("/v1/experiments/{name}/rollback", self.roll_back, methods=["POST"]),
                Route("/v1/experiments/{name}/clear", self.clear_latch, methods=["POST"]),
                *self._history.routes(),
                *self._metrics.routes(),
            ],
            exception_handlers={QuantdeckError: error_answer},
        )

    async def version(self, request: Request) -> Response:
        """GET /v1/version: the handshake."""
        return answer(Version(protocol=PROTOCOL, agent=__version__, host=self._host, role=role_of(request)))

    async def status(self, _request: Request) -> Response:
        """GET /v1/status: everything, now."""
        return answer(self._hub.status())

    async def events(self, _request: Request) -> Response:
        """GET /v1/events: a snapshot, then every change, one JSON object a line."""
        return StreamingResponse(self._hub.subscribe(), media_type="application/x-ndjson")

    async def experiment(self, request: Request) -> Response:
        """GET /v1/experiments/NAME."""
        found = self._hub.experiment(request.path_params["name"])
        if found is None:
            raise NotFoundError(f"No experiment is called {request.path_params['name']!r} here.")
        return answer(found)

    async def deploy(self, request: Request) -> Response:
        """POST /v1/engines: begin to start or replace an engine."""

        async def work(ask: requests.Deploy) -> requests.Applied:
            name = ask.name or ask.profile.name
            generation = self._engines.deploy(ask.profile, name, ask.replace, ask.by)
            return requests.Applied(revision=generation, detail=f"{name}.{generation} is starting")

        return await self._apply(request, requests.Deploy, work)

    async def stop(self, request: Request) -> Response:
        """POST /v1/engines/NAME/stop: begin to drain and end an engine."""
        name = request.path_params["name"]

        async def work(ask: requests.Stop) -> requests.Applied:
            self._engines.stop(name, ask.by)
            return requests.Applied(revision=0, detail=f"{name} is draining")

        return await self._apply(request, requests.Stop, work)

    async def create_experiment(self, request: Request) -> Response:
        """POST /v1/experiments."""
        return await self._apply(request, requests.CreateExperiment, self._experiments.create)

    async def change_weight(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/weight."""
        name = request.path_params["name"]
        return await self._apply(request, requests.ChangeWeight, lambda ask: self._experiments.change_weight(name, ask))

    async def roll_back(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/rollback."""
        name = request.path_params["name"]
        return await self._apply(request, requests.Rollback, lambda ask: self._experiments.roll_back(name, ask))

    async def clear_latch(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/clear."""
        name = request.path_params["name"]
        return await self._apply(request, requests.ClearLatch, lambda ask: self._experiments.clear_latch(name, ask))

    async def _apply(
        self, request: Request, kind: type[Change], work: Callable[[Change], Awaitable[requests.Applied]]
    ) -> Response:
        require(request, "operator")
        ask = await read(request, kind)
        async with self._one_at_a_time:
            applied = self._store.answer_of(ask.request_id, requests.Applied)
            if applied is None:
                # Shielded: a console that hangs up must not leave a change persisted and the gateway untold.
                applied = await asyncio.shield(work(ask))
                # A rollback may be asked for again until it is effective: the gateway is then tried again.
                if not (applied.pending and isinstance(ask, requests.Rollback)):
                    self._store.remember(ask.request_id, applied, time.time())
        return answer(applied)
