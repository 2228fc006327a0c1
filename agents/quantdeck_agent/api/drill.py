"""The path of rehearsed rollbacks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.messages import answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.protocol.drill import Drill, DrillRecord


class DrillApi:
    """Handlers. A rehearsal takes seconds: it does not hold up other changes, a rollback least of all.

    Args:
        drill: rehearses a rollback of an experiment by its name.
    """

    def __init__(self, drill: Callable[[str, Drill], Awaitable[DrillRecord]], store: Store) -> None:
        self._drill, self._store = drill, store

    def routes(self) -> list[Route]:
        """For the agent's application."""
        return [Route("/v1/experiments/{name}/drill", self.run, methods=["POST"])]

    async def run(self, request: Request) -> Response:
        """POST /v1/experiments/NAME/drill: rehearse a rollback; answered when it is over, however it went."""
        require(request, "operator")
        ask = await read(request, Drill)
        record = self._store.answer_of(ask.request_id, DrillRecord)
        if record is None:
            record = await asyncio.shield(self._drill(request.path_params["name"], ask))
            with contextlib.suppress(StateWriteError):
                self._store.remember(ask.request_id, record, time.time())
        return answer(record)
