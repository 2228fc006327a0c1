"""The path of rehearsed rollbacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.once import Once
from quantdeck_core.protocol.drill import Drill, DrillRecord


class DrillApi:
    """Handlers. A rehearsal takes seconds: it does not hold up other changes, a rollback least of all.

    Args:
        drill: rehearses a rollback of an experiment by its name.
    """

    def __init__(self, drill: Callable[[str, Drill], Awaitable[DrillRecord]], once: Once) -> None:
        self._drill, self._once = drill, once

    def routes(self) -> list[Route]:
        """For the agent's application."""
        return [Route("/v1/experiments/{name}/drill", self.run, methods=["POST"])]

    async def run(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/drill: rehearse a rollback; answered when it is over, however it went."""
        ask = await self._once.asked(request, Drill)
        return await self._once.answer(ask, DrillRecord, lambda: self._drill(request.path_params["name"], ask))
