"""A question that a pane asks of an agent again and again while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.model.asked import Asked
from quantdeck_console.widgets.work import begin
from quantdeck_core.errors import QuantdeckError

if TYPE_CHECKING:
    from quantdeck_console.screens.base import DeckScreen

T = TypeVar("T")

PLAYED_AGAIN_S = 5.0
LOOK_S = 0.25
"""Between two looks whether a screen is seen again."""


class Question(Generic[T]):
    """Asks at once, then at intervals while its screen is seen; it ends with it.

    Args:
        every_s: seconds between two tries, however they ended; 0: once.
    """

    def __init__(self, screen: DeckScreen, name: str, every_s: float) -> None:
        self.asked: Asked[T] = Asked()
        self._screen = screen
        self._group = f"question-{name}"
        self._every_s = every_s

    def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]], *, anew: bool = False) -> None:
        """Ask this from now on instead of what was asked before.

        Args:
            anew: it is about something else: forget the last answer.
        """
        if anew:
            self.asked = Asked()
        begin(self._screen, partial(self._keep, host, call), group=self._group, exclusive=True)

    def stop(self) -> None:
        """Ask no more, and forget what was answered."""
        self.asked = Asked()
        self._screen.workers.cancel_group(self._screen, self._group)

    async def _keep(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> None:
        deck = self._screen.deck
        while True:
            try:
                value = await deck.link.ask(host, call)
            except QuantdeckError as error:
                self.asked = Asked(value=self.asked.value, at=self.asked.at, error=error.info())
            else:
                self.asked = Asked(value=value, at=deck.model.clock())
            self._screen.draw()
            if deck.play:
                # What was asked once may have been asked later in the recording.
                if await deck.play.wound_within(self._every_s or PLAYED_AGAIN_S):
                    self.asked = Asked()
            elif self._every_s:
                await asyncio.sleep(self._every_s)
                while self._screen.covered:
                    await asyncio.sleep(LOOK_S)
            else:
                return
