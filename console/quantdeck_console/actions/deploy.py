"""Deployments that were asked for in this console: each wish once a host, however often it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import uuid4

import msgspec

from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.deploy_order import Order, Sent
from quantdeck_core.errors import QuantdeckError, RemoteError

_REFUSED = range(400, 500)


class Deployments:
    """What was sent to each host last. It lives as long as the console: a pane that is closed loses none of it.

    Attributes:
        sent: by host.
    """

    def __init__(self, link: FleetLink, by: str, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        """`changed` is called whenever `sent` is another."""
        self.sent: dict[str, Sent] = {}
        self._link, self._by, self._clock, self._changed = link, by, clock, changed

    async def begin(self, orders: Iterable[Order]) -> None:
        """Ask all hosts at once, but those that are being asked; return when none is left that may answer."""
        fresh = [order for order in orders if not self._waiting(order.host)]
        for order in fresh:
            request = order.request
            if not order.again:
                request = msgspec.structs.replace(request, request_id=uuid4().hex, by=self._by)
            self.sent[order.host] = Sent(wish=order.wish, request=request, since=self._clock())
        self._changed()
        await asyncio.gather(*(self._one(order.host) for order in fresh))

    def _waiting(self, host: str) -> bool:
        return host in self.sent and self.sent[host].progress == "sent"

    async def _one(self, host: str) -> None:
        sent = self.sent[host]
        try:
            applied = await self._link.ask(host, lambda client: client.deploy(sent.request))
        except QuantdeckError as error:
            refused = isinstance(error, RemoteError) and error.status in _REFUSED
            self.sent[host] = replace(sent, progress="refused" if refused else "lost", error=error.info())
        else:
            self.sent[host] = replace(sent, progress="accepted", operation=applied.operation)
        self._changed()
