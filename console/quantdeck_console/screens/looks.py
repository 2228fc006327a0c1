"""Asks the hosts of a fleet for their pages while they are looked at: all once, then who has news."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from quantdeck_console.model.alarms import Look, due, mark_of
from quantdeck_console.model.asked import Asked
from quantdeck_console.widgets.work import begin
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.alerts import Page, PageList

if TYPE_CHECKING:
    from quantdeck_console.screens.base import DeckScreen

EVERY_S = 0.5
AT_ONCE = 32
"""Hosts that are asked at a time: a large fleet takes a moment and floods no link."""


class Looks:
    """What each host told of its pages.

    Attributes:
        by_host: of those that were asked.
    """

    def __init__(self, screen: DeckScreen) -> None:
        self.by_host: dict[str, Look] = {}
        self._screen = screen
        self._asking: set[str] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def keep(self) -> None:
        """Ask whoever is due, until cancelled."""
        while True:
            model = self._screen.deck.model
            for view in due(model.fleet, self.by_host, model.clock()):
                if view.name not in self._asking:
                    self._asking.add(view.name)
                    begin(self._screen, partial(self._ask, view), group="looks")
            await asyncio.sleep(EVERY_S)

    def took(self, host: str, page: Page) -> None:
        """An agent has said how a page stands now: show that until it is asked again, which is at once."""
        look = self.by_host.get(host)
        if look is None or look.asked.value is None:
            return
        listed = look.asked.value
        pages = tuple(page if one.id == page.id else one for one in listed.pages)
        told = PageList(now=listed.now, pages=pages, receivers=listed.receivers)
        self.by_host[host] = Look(asked=Asked(value=told, at=look.asked.at), mark=None, tried=look.tried)

    async def _ask(self, view: HostView) -> None:
        deck, host = self._screen.deck, view.name
        async with self._room:
            mark, tried = mark_of(deck.model.fleet.hosts.get(host, view)), deck.model.clock()
            try:
                value = await deck.link.ask(host, lambda client: client.alerts())
            except QuantdeckError as error:
                before = self.by_host[host].asked if host in self.by_host else Asked[PageList]()
                asked = Asked(value=before.value, at=before.at, error=error.info())
            else:
                asked = Asked(value=value, at=deck.model.clock())
        self.by_host[host] = Look(asked=asked, mark=mark, tried=tried)
        self._asking.discard(host)
        deck.draw_soon()
