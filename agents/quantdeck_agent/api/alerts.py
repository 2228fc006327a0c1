"""The paths of pages. `docs/alerts.md` describes them for people."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.alerts.alerts import Alerts
from quantdeck_agent.api.messages import BodyError, answer, read
from quantdeck_agent.api.roles import require
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.protocol import alerts as messages


class AlertApi:
    """Handlers; each change is applied once for each request id."""

    def __init__(self, alerts: Alerts, store: Store) -> None:
        self._alerts, self._store = alerts, store

    def routes(self) -> list[Route]:
        """For the agent's application."""
        return [
            Route("/v1/alerts", self.list),
            Route("/v1/alerts/{id}/acknowledge", self.acknowledge, methods=["POST"]),
            Route("/v1/alerts/{id}/snooze", self.snooze, methods=["POST"]),
            Route("/v1/alerts/{id}/handover", self.hand_over, methods=["POST"]),
        ]

    async def list(self, _request: Request) -> Response:
        """GET /v1/alerts: pages that go on, those that ended lately, and the receivers."""
        return answer(self._alerts.status())

    async def acknowledge(self, request: Request) -> Response:
        """POST /v1/alerts/ID/acknowledge."""
        require(request, "operator")
        ask = await read(request, messages.Acknowledge)
        return self._once(ask.request_id, lambda: self._alerts.acknowledge(_identifier(request), ask))

    async def snooze(self, request: Request) -> Response:
        """POST /v1/alerts/ID/snooze."""
        require(request, "operator")
        ask = await read(request, messages.Snooze)
        return self._once(ask.request_id, lambda: self._alerts.snooze(_identifier(request), ask))

    async def hand_over(self, request: Request) -> Response:
        """POST /v1/alerts/ID/handover."""
        require(request, "operator")
        ask = await read(request, messages.HandOver)
        return self._once(ask.request_id, lambda: self._alerts.hand_over(_identifier(request), ask))

    def _once(self, request_id: str, work: Callable[[], messages.Page]) -> Response:
        page = self._store.answer_of(request_id, messages.Page)
        if page is None:
            page = work()
            with contextlib.suppress(StateWriteError):  # it is done all the same, and must be said so
                self._store.remember(request_id, page, time.time())
        return answer(page)


def _identifier(request: Request) -> int:
    text = request.path_params["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BodyError(f"{text!r} is no page.", "`quantdeck alerts list` shows their numbers.")
    return int(text)
