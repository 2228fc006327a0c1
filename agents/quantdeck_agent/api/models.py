"""The paths of models. `docs/models.md` describes them for people."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.messages import BodyError, answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.models.models import Models
from quantdeck_core.protocol import models as messages


class ModelApi:
    """Handlers. Transfers are named by their content, so that asking twice joins instead of doing it twice."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> list[Route]:
        """For the agent's application."""
        return [
            Route("/v1/models", self.list),
            Route("/v1/models/jobs", self.jobs),
            Route("/v1/models/jobs/{id}", self.job),
            Route("/v1/models/jobs/{id}/cancel", self.cancel, methods=["POST"]),
            Route("/v1/models/pushes", self.begin_push, methods=["POST"]),
            Route("/v1/models/pushes/{id}", self.push),
            Route("/v1/models/pushes/{id}/chunk", self.chunk, methods=["PUT"]),
            Route("/v1/models/pushes/{id}/finish", self.finish_push, methods=["POST"]),
            Route("/v1/models/pulls", self.pull, methods=["POST"]),
            Route("/v1/models/verify", self.verify, methods=["POST"]),
            Route("/v1/models/gc", self.collect_garbage, methods=["POST"]),
        ]

    async def list(self, _request: Request) -> Response:
        """GET /v1/models: what is there, and room for more."""
        return answer(await self._models.list())

    async def jobs(self, _request: Request) -> Response:
        """GET /v1/models/jobs."""
        return answer(self._models.jobs())

    async def job(self, request: Request) -> Response:
        """GET /v1/models/jobs/ID."""
        return answer(self._models.job(request.path_params["id"]))

    async def cancel(self, request: Request) -> Response:
        """POST /v1/models/jobs/ID/cancel."""
        require(request, "operator")
        await read(request, messages.CancelJob)
        async with self._one_at_a_time:
            return answer(await self._models.cancel(request.path_params["id"]))

    async def begin_push(self, request: Request) -> Response:
        """POST /v1/models/pushes: announce a model, or go on."""
        require(request, "operator")
        ask = await read(request, messages.BeginPush)
        async with self._one_at_a_time:
            return answer(await self._models.pushes.begin(ask))

    async def push(self, request: Request) -> Response:
        """GET /v1/models/pushes/ID: what is missing."""
        return answer(self._models.pushes.status(request.path_params["id"]))

    async def chunk(self, request: Request) -> Response:
        """PUT /v1/models/pushes/ID/chunk?file=N&offset=N&crc32=N: the chunk's bytes."""
        require(request, "operator")
        file, offset, crc32 = (_number(request, name) for name in ("file", "offset", "crc32"))
        try:
            done = await self._models.pushes.chunk(request.path_params["id"], file, offset, crc32, request.stream())
        except ClientDisconnect:
            raise BodyError("The connection ended in the middle of a chunk.", "Send it again.") from None
        return answer(messages.Taken(bytes_done=done))

    async def finish_push(self, request: Request) -> Response:
        """POST /v1/models/pushes/ID/finish: check and place."""
        require(request, "operator")
        await read(request, messages.FinishPush)
        async with self._one_at_a_time:
            return answer(await self._models.pushes.finish(request.path_params["id"]))

    async def pull(self, request: Request) -> Response:
        """POST /v1/models/pulls: let this host fetch a model."""
        require(request, "operator")
        ask = await read(request, messages.Pull)
        async with self._one_at_a_time:
            return answer(self._models.pulls.begin(ask))

    async def verify(self, request: Request) -> Response:
        """POST /v1/models/verify: hash a model again. It changes nothing, so any role may ask."""
        return answer(self._models.verify(await read(request, messages.Verify)))

    async def collect_garbage(self, request: Request) -> Response:
        """POST /v1/models/gc: what would go, or away with it."""
        require(request, "operator")
        ask = await read(request, messages.CollectGarbage)
        async with self._one_at_a_time:
            return answer(await self._models.garbage.collect(ask))


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BodyError(f"{name} is not a whole number.", "docs/models.md shows what this path takes.")
    return int(text)
