"""The paths of pages. `docs/alerts.md` describes them for people."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.alerts.alerts import Alerts
from quantdeck_agent.api.messages import BodyError, answer
from quantdeck_agent.api.once import Ask, Once
from quantdeck_core.protocol import alerts as messages


class AlertApi:
    """Handlers; each change is applied once for each request id."""

    def __init__(self, alerts: Alerts, once: Once) -> None:
        self._alerts, self._once = alerts, once

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
        return await self._once_applied(request, messages.Acknowledge, self._alerts.acknowledge)

    async def snooze(self, request: Request) -> Response:
        """POST /v1/alerts/ID/snooze."""
        return await self._once_applied(request, messages.Snooze, self._alerts.snooze)

    async def hand_over(self, request: Request) -> Response:
        """POST /v1/alerts/ID/handover."""
        return await self._once_applied(request, messages.HandOver, self._alerts.hand_over)

    async def _once_applied(
        self, request: Request, kind: type[Ask], work: Callable[[int, Ask], messages.Page]
    ) -> Response:
        ask = await self._once.asked(request, kind)

        async def apply() -> messages.Page:
            return work(_identifier(request), ask)

        return await self._once.answer(ask, messages.Page, apply)


def _identifier(request: Request) -> int:
    text = request.path_params["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BodyError(f"{text!r} is no page.", "`quantdeck alerts list` shows their numbers.")
    return int(text)
