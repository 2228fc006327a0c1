"""A console under test: started, waited for, read as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from quantdeck_console.app import DeckApp
from quantdeck_console.recording.player import PlayedFleet
from quantdeck_console.recording.recording_link import RecordingLink
from quantdeck_console.screens.base import DeckScreen
from quantdeck_console.terminal import Display
from support.fake_link import Clock, FakeLink
from support.waiting import eventually


@dataclass
class Deck:
    """One running console."""

    app: DeckApp
    pilot: Pilot[None]
    link: FakeLink
    clock: Clock

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    @property
    def screen(self) -> DeckScreen:
        """The screen on top."""
        assert isinstance(self.app.screen, DeckScreen)
        return self.app.screen

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other; text for a field goes in at once."""
        for key in keys:
            if len(key) == 1 and isinstance(self.app.focused, Input):
                self.app.post_message(events.Key(_character_to_key(key), key))
            else:
                await self.pilot.press(key)
        await self.pilot.pause()

    async def shows(self, *words: str) -> None:
        """Wait until all of it is on the screen."""

        def missing() -> list[str]:
            return [word for word in words if word not in self.text]

        try:
            await eventually(lambda: not missing(), seconds=5)
        except AssertionError:
            raise AssertionError(f"missing {missing()} on:\n{self.text}") from None

    async def hides(self, word: str) -> None:
        """Wait until it is gone."""
        await eventually(lambda: word not in self.text, seconds=5, what=f"{word!r} to go")

    async def dialog(self, name: str) -> None:
        """Wait until a dialog takes keys."""
        await eventually(lambda: name == self.screen.NAME and getattr(self.screen, "armed_at", None), seconds=5)

    def draw(self) -> None:
        """Draw now, not at the next tick."""
        self.app.redraw()


@asynccontextmanager
async def running(
    link: FakeLink | RecordingLink | PlayedFleet,
    *,
    size: tuple[int, int] = (80, 24),
    ready: str = "TTFT95",
    **options: Any,
) -> AsyncIterator[Deck]:
    """A console on a fake fleet, once it shows what it was told."""
    clock = options.pop("clock", None) or Clock()
    display = options.pop("display", Display(animations=False))
    app = DeckApp(link, by="ada", clock=clock, display=display, **options)
    async with app.run_test(size=size) as pilot:
        deck = Deck(app, pilot, link, clock)  # type: ignore[arg-type]
        if isinstance(link, FakeLink) and link.statuses:
            await eventually(lambda: all(app.model.fleet.hosts[one.name].status for one in link.statuses))
            app.redraw()
        await deck.shows(ready)
        app.redraw()
        await pilot.pause()
        yield deck
