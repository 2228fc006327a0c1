"""The paths of experiments and their rollouts. `docs/api.md` describes them for people."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.messages import answer, read
from quantdeck_agent.api.once import Ask, Once
from quantdeck_agent.api.roles import require
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.hub import Hub
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol import requests
from quantdeck_core.protocol.incident import ReplayAsk, WhoAsk


class ExperimentApi:
    """Handlers."""

    def __init__(self, hub: Hub, once: Once, experiments: Experiments) -> None:
        self._hub, self._once, self._experiments = hub, once, experiments
        self._asks = experiments.asks

    def routes(self) -> list[Route]:
        """For the agent's application."""
        one = "/v1/experiments/{name}"
        return [
            Route("/v1/experiments", self.create, methods=["POST"]),
            Route(one, self.show),
            Route(f"{one}/weight", self.weight, methods=["POST"]),
            Route(f"{one}/rollback", self.roll_back, methods=["POST"]),
            Route(f"{one}/clear", self.clear, methods=["POST"]),
            Route(f"{one}/rollout", self.progress),
            Route(f"{one}/rollout", self.start, methods=["POST"]),
            Route(f"{one}/steer", self.steer, methods=["POST"]),
            Route(f"{one}/finish", self.finish, methods=["POST"]),
            Route(f"{one}/distributions", self.distributions),
            Route(f"{one}/incident", self.incident),
            Route(f"{one}/replay", self.replay, methods=["POST"]),
            Route(f"{one}/who", self.who, methods=["POST"]),
            Route("/v1/freeze", self.freeze, methods=["POST"]),
            Route("/v1/unfreeze", self.unfreeze, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """GET /v1/experiments/NAME."""
        found = self._hub.experiment(request.path_params["name"])
        if found is None:
            raise NotFoundError(f"No experiment is called {request.path_params['name']!r} here.")
        return answer(found)

    async def create(self, request: Request) -> Response:
        """POST /v1/experiments."""
        return await self._once.apply(request, requests.CreateExperiment, self._asks.create)

    async def weight(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/weight."""
        return await self._of_one(request, requests.ChangeWeight, self._asks.change_weight)

    async def roll_back(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/rollback."""
        return await self._of_one(request, requests.Rollback, self._asks.roll_back)

    async def clear(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/clear."""
        return await self._of_one(request, requests.ClearLatch, self._asks.clear_latch)

    async def progress(self, request: Request) -> Response:
        """GET /v1/experiments/NAME/rollout: where its plan stands and what it waits for."""
        return answer(self._experiments.progress(request.path_params["name"], time.time()))

    async def start(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/rollout: begin a plan."""
        return await self._of_one(request, requests.StartRollout, self._asks.start)

    async def steer(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/steer: pause, resume, promote or abort it."""
        return await self._of_one(request, requests.SteerRollout, self._asks.steer)

    async def finish(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/finish: the treatment becomes the baseline."""
        return await self._of_one(request, requests.Finish, self._asks.finish)

    async def freeze(self, request: Request) -> Response:
        """POST /v1/freeze: hold all automation but rollbacks."""
        return await self._once.apply(request, requests.FreezeAsk, self._asks.freeze)

    async def unfreeze(self, request: Request) -> Response:
        """POST /v1/unfreeze: let it go on."""
        return await self._once.apply(request, requests.FreezeAsk, self._asks.unfreeze)

    async def distributions(self, request: Request) -> Response:
        """GET /v1/experiments/NAME/distributions: how long users of both arms wait."""
        return answer(self._experiments.distributions(request.path_params["name"], time.monotonic()))

    async def incident(self, request: Request) -> Response:
        """GET /v1/experiments/NAME/incident: findings, timeline, trends."""
        return answer(await self._experiments.incidents.report(request.path_params["name"], time.time()))

    async def replay(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/replay: ask the flagged prompts again; users' words, so for operators."""
        require(request, "operator")
        ask = await read(request, ReplayAsk)
        return answer(await self._experiments.incidents.replay(request.path_params["name"], ask, time.time()))

    async def who(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/who: which arm a user is on."""
        ask = await read(request, WhoAsk)
        return answer(self._experiments.who(request.path_params["name"], ask.user))

    async def _of_one(
        self, request: Request, kind: type[Ask], work: Callable[[str, Ask], Awaitable[requests.Applied]]
    ) -> Response:
        """A change of the experiment that the path names."""
        name = request.path_params["name"]
        return await self._once.apply(request, kind, lambda ask: work(name, ask))
