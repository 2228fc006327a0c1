"""What a pane asks again and again: while it is seen, and at once when it is seen again."""

from __future__ import annotations

import asyncio
import gc

import pytest

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.screens import question
from quantdeck_console.screens.question import Question
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import rack, van
from support.waiting import eventually

OFTEN_S = 0.01


async def test_it_pauses_behind_a_pane_and_not_behind_a_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "LOOK_S", OFTEN_S)
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("2")
        await deck.shows("agent 0.1.0")
        answered = 0

        async def answer(_client: DeckClient) -> int:
            nonlocal answered
            answered += 1
            return answered

        one = Question[int](deck.screen, "test", OFTEN_S)
        one.ask("van-7", answer)
        await eventually(lambda: answered > 3)
        await deck.press("4")
        await deck.shows("TIMELINE")
        await asyncio.sleep(5 * OFTEN_S)
        before = answered
        await asyncio.sleep(20 * OFTEN_S)
        assert answered == before
        await deck.press("escape")
        await deck.shows("agent 0.1.0")
        await eventually(lambda: answered > before)
        await deck.press("ctrl+p")
        await deck.dialog("palette")
        before = answered
        await eventually(lambda: answered > before + 3)


async def test_one_that_is_taken_back_at_once_is_not_asked() -> None:
    """A coroutine that nobody awaited would be a warning here, and across the screen in life."""
    async with running(FakeLink(van())) as deck:
        answered = False

        async def answer(_client: DeckClient) -> None:
            nonlocal answered
            answered = True

        one = Question[None](deck.screen, "test", OFTEN_S)
        one.ask("van-7", answer)
        one.stop()
        await asyncio.sleep(5 * OFTEN_S)
        gc.collect()
        assert not answered
