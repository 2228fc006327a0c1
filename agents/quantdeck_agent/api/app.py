"""The paths of the agent. `docs/api.md` describes them for people."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from quantdeck_agent import __version__
from quantdeck_agent.api.messages import answer, error_answer, internal_answer, read
from quantdeck_agent.api.once import Once
from quantdeck_agent.api.roles import require, role_of
from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.hub import Hub
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol import requests
from quantdeck_core.protocol.host import PROTOCOL, Version
from quantdeck_core.protocol.operation import Operation, OperationList


class Api:
    """Handlers of the host and its engines.

    Args:
        others: paths that have handlers of their own.
    """

    def __init__(self, host: str, hub: Hub, once: Once, engines: Engines, others: Sequence[BaseRoute]) -> None:
        self._host, self._hub, self._once = host, hub, once
        self._engines, self._others = engines, others

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/version", self.version),
                Route("/v1/status", self.status),
                Route("/v1/events", self.events),
                Route("/v1/engines", self.deploy, methods=["POST"]),
                Route("/v1/engines/plan", self.intend, methods=["POST"]),
                Route("/v1/engines/{name}", self.engine),
                Route("/v1/engines/{name}/stop", self.stop, methods=["POST"]),
                Route("/v1/engines/{name}/restart", self.restart, methods=["POST"]),
                Route("/v1/engines/{name}/scale", self.scale, methods=["POST"]),
                Route("/v1/operations", self.operations),
                Route("/v1/operations/{id}", self.operation),
                Route("/v1/operations/{id}/cancel", self.cancel, methods=["POST"]),
                *self._others,
            ],
            exception_handlers={QuantdeckError: error_answer, Exception: internal_answer},
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

    async def deploy(self, request: Request) -> Response:
        """POST /v1/engines: begin to start or replace an engine."""

        async def work(ask: requests.Deploy) -> requests.Applied:
            return _begun(await self._engines.supervisor.deploy(ask))

        return await self._once.apply(request, requests.Deploy, work)

    async def intend(self, request: Request) -> Response:
        """POST /v1/engines/plan: what a deployment would do; nothing is begun and nothing is kept."""
        require(request, "operator")
        return answer(await self._engines.intended(await read(request, requests.Deploy)))

    async def engine(self, request: Request) -> Response:
        """GET /v1/engines/NAME: its replicas, starts and timeline."""
        return answer(self._engines.detail(request.path_params["name"]))

    async def stop(self, request: Request) -> Response:
        """POST /v1/engines/NAME/stop: begin to drain and end an engine."""
        name = request.path_params["name"]

        async def work(ask: requests.Stop) -> requests.Applied:
            return _begun(await self._engines.supervisor.stop(name, ask.by))

        return await self._once.apply(request, requests.Stop, work)

    async def restart(self, request: Request) -> Response:
        """POST /v1/engines/NAME/restart: begin to start its processes anew."""
        name = request.path_params["name"]

        async def work(ask: requests.Restart) -> requests.Applied:
            return _begun(await self._engines.supervisor.restart(name, ask))

        return await self._once.apply(request, requests.Restart, work)

    async def scale(self, request: Request) -> Response:
        """POST /v1/engines/NAME/scale: begin to change its number of replicas."""
        name = request.path_params["name"]

        async def work(ask: requests.Scale) -> requests.Applied:
            return _begun(await self._engines.supervisor.scale(name, ask))

        return await self._once.apply(request, requests.Scale, work)

    async def operations(self, _request: Request) -> Response:
        """GET /v1/operations: those under way and the last that ended, oldest first."""
        return answer(OperationList(operations=self._engines.operations.all()))

    async def operation(self, request: Request) -> Response:
        """GET /v1/operations/ID."""
        return answer(self._engines.operations.named(request.path_params["id"]))

    async def cancel(self, request: Request) -> Response:
        """POST /v1/operations/ID/cancel: end it and undo what it has begun."""
        identifier = request.path_params["id"]

        async def work(ask: requests.Cancel) -> requests.Applied:
            ended = await self._engines.supervisor.cancel(identifier, ask.by)
            return requests.Applied(revision=ended.generation, operation=ended.id, detail=f"{ended.id} {ended.state}")

        return await self._once.apply(request, requests.Cancel, work)


def _begun(operation: Operation) -> requests.Applied:
    words = {"stop": "is draining", "scale": "is scaled", "restart": "is restarted"}
    generation = f".{operation.generation}" if operation.generation else ""
    detail = f"{operation.engine}{generation} {words.get(operation.kind, 'is starting')}"
    return requests.Applied(revision=operation.generation, operation=operation.id, detail=detail)
