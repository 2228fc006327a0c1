"""Requests that arrive while their arm is busy: what `admission` decides, done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from quantdeck_gateway.admission import Shed, Wait
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.exchange import Exchange, Services
from quantdeck_gateway.queue import lowered
from quantdeck_gateway.refusals import no_replica, refuse, shed
from quantdeck_gateway.request import Request, RequestRefusedError
from quantdeck_gateway.rewrite import capped
from quantdeck_gateway.routing import Placement, choose
from quantdeck_gateway.table import Route
from quantdeck_gateway.waiter import BESIDE_BODY, Waiter

if TYPE_CHECKING:
    from quantdeck_gateway.client import ClientConnection


class Busy:
    """Queues, caps, spills and sheds.

    Args:
        only_waits: never cap or spill: these answers have no length, and must come from this arm.
    """

    def __init__(self, services: Services, *, only_waits: bool = False) -> None:
        self._services, self._only_waits = services, only_waits

    def arrive(
        self, client: ClientConnection, request: Request, route: Route, arm: Arm, placement: Placement | None
    ) -> None:
        """A request for an arm that has no place at once."""
        if not arm.rotation:
            no_replica(self._services, client, request, arm, placement)
            return
        now, overload = time.monotonic(), arm.overload
        priority = lowered(request.priority, request.wanted_priority)
        size = len(request.body) + BESIDE_BODY
        decision = overload.arrive(priority, size, not self._only_waits and route.spill_open(arm), now)
        if isinstance(decision, Wait):
            waiter = Waiter(
                client,
                arm,
                priority,
                size,
                now,
                lambda: self._send(client, request, arm, placement, overload.cap),
                lambda retry_after: shed(self._services, client, request, arm, placement, retry_after),
                lambda: self._left(request, arm, placement),
            )
            overload.queue(waiter, decision.displaces, now)
        elif isinstance(decision, Shed):
            shed(self._services, client, request, arm, placement, decision.retry_after)
        elif decision.spilled:
            other = route.other(arm)
            arm.requests -= 1
            other.requests += 1
            self._send(client, request, other, placement, decision.cap, spilled=True)
        else:
            self._send(client, request, arm, placement, decision.cap)

    def _left(self, request: Request, arm: Arm, placement: Placement | None) -> None:
        if self._services.access_log is not None:
            self._services.access_log.unanswered(request, 0, "cancelled", arm=arm, placement=placement)

    def _send(
        self,
        client: ClientConnection,
        request: Request,
        arm: Arm,
        placement: Placement | None,
        cap: int | None,
        spilled: bool = False,
    ) -> None:
        replica = choose(arm.rotation, placement)
        if replica is None:
            no_replica(self._services, client, request, arm, placement)
            return
        shorter = False
        if cap is not None and not self._only_waits:
            try:
                body = capped(request.body, cap)
            except RequestRefusedError as refusal:
                arm.by_class[refusal.status // 100] += 1
                refuse(client, refusal)
                if self._services.access_log is not None:
                    self._services.access_log.unanswered(
                        request, refusal.status, "refused", refusal.code, arm, placement
                    )
                return
            shorter = body is not request.body
            if shorter:
                request.replace_body(body)
        exchange = Exchange(self._services, client, request, arm, replica, placement)
        if shorter or spilled:
            exchange.degrade(b"cap, spill" if shorter and spilled else b"cap" if shorter else b"spill")
        arm.overload.capped += shorter
        client.begin(exchange)
        exchange.start()
