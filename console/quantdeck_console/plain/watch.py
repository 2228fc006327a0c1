"""A fleet as lines, one whenever something changes: the console where nothing can be drawn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.deck import DeckModel
from quantdeck_console.model.text import span
from quantdeck_core.fleet.cells import clock
from quantdeck_core.fleet.health import WORDS
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.rows import FleetRow, host_row
from quantdeck_core.protocol.events import Event

LOOK_S = 0.5
"""Silence is no event: whether somebody became stale is looked at so often."""

_FIGURES = re.compile(r"\d[\d.,:]*")


class Watch:
    """Says what the fleet pane would show, as it comes."""

    def __init__(self, link: FleetLink, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        """`say` prints a line."""
        self._link, self._say = link, say
        self._model = DeckModel(link.hosts, clock)
        self._told: dict[str, tuple[str, ...]] = {}
        self._headline = ""

    async def run(self) -> None:
        """Until the link ends, or for ever."""
        linked = asyncio.create_task(self._link.run(self._receive))
        try:
            while not linked.done():
                self.look()
                await asyncio.wait((linked,), timeout=LOOK_S)
            linked.result()
        finally:
            linked.cancel()
            await asyncio.wait((linked,))
        self.look()

    def look(self) -> None:
        """Say what is another thing than what was said last; figures that change are no news."""
        self._model.catch_up()
        headline = self._model.headline
        news = "" if headline.hosts else _without_figures(headline.text)
        if news not in ("", self._headline):
            self._line(headline.sentence)
        self._headline = news
        for row in self._model.rows():
            self._look_at(row)

    def _look_at(self, row: FleetRow) -> None:
        news = (row.level, row.experiment, _without_figures(row.why))
        if self._told.get(row.name) == news:
            return
        if row.name in self._told or row.level not in ("ok", "connecting"):
            about = f"{row.experiment}: " if row.experiment else ""
            self._line(f"{WORDS[row.level]:<7}  {row.name}  {about}{row.why}")
        self._told[row.name] = news

    def _receive(self, host: str, update: Event | LinkChange) -> None:
        for alarm in self._model.receive(host, update):
            self._line(f"alarm    {host}  {alarm.text}")
        self._look_at(host_row(self._model.fleet.hosts[host], self._model.clock()))

    def _line(self, text: str) -> None:
        self._say(f"{clock(self._model.clock())}  {span(text).text}")


def _without_figures(text: str) -> str:
    return _FIGURES.sub("#", text)
