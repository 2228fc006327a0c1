"""A change is applied once however often it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from quantdeck_agent.api.messages import answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.protocol import requests

Ask = TypeVar("Ask", bound=requests.Change)
Result = TypeVar("Result", bound=msgspec.Struct)


class Once:
    """Answers by request id, kept for a day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    async def apply(
        self, request: Request, kind: type[Ask], work: Callable[[Ask], Awaitable[requests.Applied]]
    ) -> Response:
        """Do the work for a request id that was not seen before, one change at a time; else answer as then.

        Raises:
            ForbiddenError: the asker is no operator.
            BodyError: the body does not fit.
        """
        ask = await self.asked(request, kind)
        async with self._one_at_a_time:
            # A rollback may be asked for again until it is effective: the gateway is then tried again.
            return await self.answer(
                ask,
                requests.Applied,
                lambda: work(ask),
                final=lambda applied: not (applied.pending and isinstance(ask, requests.Rollback)),
            )

    async def asked(self, request: Request, kind: type[Ask]) -> Ask:
        """What an operator asks.

        Raises:
            ForbiddenError, BodyError: as `apply`.
        """
        require(request, "operator")
        return await read(request, kind)

    async def answer(
        self,
        ask: requests.Change,
        kind: type[Result],
        work: Callable[[], Awaitable[Result]],
        *,
        final: Callable[[Result], bool] = lambda _: True,
    ) -> Response:
        """As `apply`, beside other changes.

        Args:
            kind: of the answer.
            final: whether an answer holds for the next time too.
        """
        result = self._store.answer_of(ask.request_id, kind)
        if result is None:
            # Shielded: a console that hangs up must not leave a change persisted and the gateway untold.
            result = await asyncio.shield(asyncio.ensure_future(work()))
            if final(result):
                with contextlib.suppress(StateWriteError):  # it is done all the same, and must be said so
                    self._store.remember(ask.request_id, result, time.time())
        return answer(result)
