"""Another size of the terminal while something is open."""

from __future__ import annotations

import pytest

from quantdeck_console.screens import dialog
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import experiment, rack, van


async def resized(deck: Deck, width: int, height: int) -> None:
    await deck.pilot.resize_terminal(width, height)
    await deck.pilot.pause()


async def test_a_dialog_keeps_what_was_typed_and_takes_no_key_while_it_does_not_fit() -> None:
    async with running(FakeLink(rack(experiment()), van()), size=(120, 36)) as deck:
        await deck.press("w")
        await deck.dialog("weight")
        await deck.press("5", "0")
        await deck.shows("90/10 -> 50/50")
        await resized(deck, 79, 24)
        await deck.shows("the terminal is too small", "it is 79x24")
        await deck.press("enter")
        assert deck.link.asked == []
        await resized(deck, 80, 24)
        await deck.shows("90/10 -> 50/50", "Enter apply")
        await deck.dialog("weight")
        await deck.press("enter")
        await deck.shows("applied")
        assert len(deck.link.asked) == 1


async def test_a_rollback_is_not_confirmed_where_nobody_could_read_it() -> None:
    async with running(FakeLink(rack(experiment()), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await resized(deck, 60, 10)
        await deck.shows("too small")
        await deck.press("y")
        assert deck.link.asked == []
        await resized(deck, 120, 36)
        await deck.shows("90/10 -> 100/0")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done: everyone is on the control")


@pytest.mark.parametrize("key", ["colon", "question_mark", "w", "R", "4", "slash"])
async def test_whatever_is_open_fits_again(key: str) -> None:
    async with running(FakeLink(rack(experiment()), van()), size=(120, 36)) as deck:
        await deck.press(key)
        for width, height in ((80, 24), (20, 5), (200, 60), (80, 24)):
            await resized(deck, width, height)
            lines = deck.text.split("\n")
            assert len(lines) == height
            assert all(len(line) <= width for line in lines)
        before = deck.text
        await resized(deck, 81, 25)
        await resized(deck, 80, 24)
        assert deck.text == before


async def test_a_size_that_was_never_passed_on_is_noticed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's one-shot timers do not fire where the machine was busy for longer than they take."""
    async with running(FakeLink(rack(experiment()), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        monkeypatch.setattr(deck.app, "_check_resize", lambda: None)
        await resized(deck, 60, 20)
        await deck.shows("the terminal is too small", "it is 60x20")
        await resized(deck, 120, 36)
        await deck.shows("90/10 -> 100/0")
        await deck.dialog("rollback")


async def test_a_dialog_whose_timer_was_lost_takes_keys_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(experiment()), van())) as deck:
        monkeypatch.setattr(dialog.Dialog, "set_timer", lambda *_: None)
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done: everyone is on the control")
