"""A change is applied once however often it is asked for, and one change at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from quantdeck_agent.api.messages import answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.protocol import requests

Ask = TypeVar("Ask", bound=requests.Change)


class Once:
    """Answers by request id, kept for a day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    async def apply(
        self, request: Request, kind: type[Ask], work: Callable[[Ask], Awaitable[requests.Applied]]
    ) -> Response:
        """Do the work for a request id that was not seen before; else answer as then.

        Raises:
            ForbiddenError: the asker is no operator.
            BodyError: the body does not fit.
        """
        require(request, "operator")
        ask = await read(request, kind)
        async with self._one_at_a_time:
            applied = self._store.answer_of(ask.request_id, requests.Applied)
            if applied is None:
                # Shielded: a console that hangs up must not leave a change persisted and the gateway untold.
                applied = await asyncio.shield(work(ask))
                # A rollback may be asked for again until it is effective: the gateway is then tried again.
                if not (applied.pending and isinstance(ask, requests.Rollback)):
                    with contextlib.suppress(StateWriteError):  # it is done all the same, and must be said so
                        self._store.remember(ask.request_id, applied, time.time())
        return answer(applied)
