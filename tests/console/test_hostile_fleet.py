"""Faults 41 and 42 wherever there is room for text: every field of the wire, on every pane and in every dialog."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest
from rich.cells import cell_len

from quantdeck_console.actions.registry import PANES, actions_of
from quantdeck_console.model.subject import Subject
from quantdeck_console.screens.base import DeckScreen
from quantdeck_core.fleet.link import LinkChange
from support.decks import Deck, running
from support.hostile import EXPERIMENT, HOST, HOSTILE, HostileLink

LEAVES = ("quit", "suspend_process")
TURNS = 4
"""As many as the longest list of alternatives that matters here: what an engine or an alarm may be."""


def harmful(text: str) -> list[str]:
    """What must never reach a terminal."""
    return [
        f"U+{ord(char):04X}"
        for char in text
        if char != "\n" and (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or 0x202A <= ord(char) <= 0x202E
                             or 0x2066 <= ord(char) <= 0x2069)
    ]  # fmt: skip


def check(deck: Deck, where: str) -> None:
    text = deck.text
    assert harmful(text) == [], where
    assert harmful(deck.app.terminal_title) == [], where
    assert harmful(deck.app.clipboard) == [], where
    assert all(cell_len(line) <= deck.app.size.width for line in text.split("\n")), where


async def back_to(deck: Deck, pane: str) -> None:
    """Whatever was opened is closed again."""
    for _ in range(4):
        if pane == deck.screen.NAME:
            return
        await deck.press("escape")
    deck.app.show_pane(pane, Subject(HOST, EXPERIMENT))
    await deck.pilot.pause()


async def look_around(deck: Deck, pane: str) -> int:
    """Press every key of a pane, and in what it opens every key that does something; the number of screens seen.

    What every pane has is tried on the first one.
    """
    seen = 0
    for action in actions_of(pane):
        if action.id in (*LEAVES, *PANES) or action.playing or (action.where == "panes" and pane != "fleet"):
            continue
        await deck.press(action.keys[0])
        await deck.pilot.pause(0.03)
        check(deck, f"{action.id} on {pane}")
        if pane != deck.screen.NAME:
            seen += 1
            for key in [key for one in deck.screen.actions() if one.id not in LEAVES for key in one.keys[:1]]:
                if key == "escape":
                    continue
                await deck.press(*"12", key)
                await deck.pilot.pause(0.03)
                check(deck, f"{key} in what {action.id} opens on {pane}")
        await back_to(deck, pane)
    return seen


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("pane", PANES)
async def test_everything_is_drawn_literally(pane: str, turn: int) -> None:
    size = (80, 24) if turn % 2 else (120, 36)
    async with running(HostileLink(turn), ready="[/oops][b][link", size=size) as deck:
        deck.app.show_pane(pane, Subject(HOST, EXPERIMENT))
        await deck.pilot.pause()
        assert pane == deck.screen.NAME
        check(deck, pane)
        deck.link.more()  # type: ignore[attr-defined]
        deck.draw()
        await deck.pilot.pause()
        check(deck, pane)
        seen = await look_around(deck, pane)
        assert seen >= 4 or pane != "fleet"  # weight, palette, help, and what Enter opens
        deck.link.say(HOST, LinkChange(state="lost", detail=HOSTILE))
        deck.draw()
        await deck.pilot.pause()
        check(deck, f"{pane}, stale")


async def test_what_the_fleet_says_is_shown_whole() -> None:
    """The check above would be content with nothing at all."""
    async with running(HostileLink(0), ready="[/oops][b][link", size=(120, 36)) as deck:
        assert deck.text.count("[/oops][b][link=http://evil]]52;c;ZXZpbA==") >= 5


async def test_a_widget_that_forgets_to_clean_is_harmless() -> None:
    from textual.content import Content
    from textual.widgets import Static

    async with running(HostileLink(0), ready="[/oops][b][link", size=(120, 36)) as deck:
        forgetful = Static(Content(HOSTILE))
        with contextlib.suppress(AttributeError):
            forgetful.border_title = Content(HOSTILE)
        await deck.app.screen.mount(forgetful, before=0)
        await deck.pilot.pause()
        assert isinstance(deck.app.screen, DeckScreen)
        assert harmful(deck.text) == []
