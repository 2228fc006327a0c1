"""`p`: both arms answer the flagged prompts again, once, and what they say."""

from __future__ import annotations

import pytest

from quantdeck_console.screens import dialog
from quantdeck_core.errors import ConflictError
from quantdeck_core.incident.replay import conclude
from quantdeck_core.protocol.incident import ReplayAsk
from support.decks import Deck, running
from support.fake_link import Clock, FakeLink
from support.fleets import NOW, rack, replace, van
from support.incidents import LATER, broken_experiment, line, replayed, report, tells

REPLAY = ("rack-1", "/v1/experiments/int4_v1/replay")


def link_with(flagged: int = 23) -> FakeLink:
    link = FakeLink(rack(broken_experiment()), van())
    tells(link, report(flagged=flagged))
    link.pages[REPLAY] = replayed()
    return link


async def ask(deck: Deck) -> None:
    await deck.press("i")
    await deck.shows("The treatment's share")
    await deck.press("p")
    await deck.dialog("replay")


async def test_it_says_what_both_arms_will_do_and_y_does_it_once() -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER)) as deck:
        await ask(deck)
        await deck.shows("23 flagged prompts held in memory", "y ask the newest 20   a ask all")
        link.gate.clear()
        await deck.press("y", "y", "y")
        await deck.shows("REPLAY", "Both arms answer up to 20 prompts again", "under way for 0 s")
        deck.clock.now += 12
        await deck.shows("under way for 12 s")
        await deck.press("p")
        assert deck.screen.NAME == "incident"
        link.gate.set()
        await deck.shows("It is the quantization, or how it is served (loop: of 11 prompts 0 on the", "TREATMENT NOW")
        await deck.shows("06-01 02:17:20 loop               refusal            loop")
        await deck.press("G")
        await deck.shows("loop, garbled      well               no answer", "treatment: no answer within 60 s")
        assert link.asked == [("rack-1", "int4_v1", ReplayAsk(most=20, by="ada"))]
        await deck.press("y")
        assert "Replay: It is the quantization, or how it is served" in deck.app.clipboard


async def test_all_of_them() -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER)) as deck:
        await ask(deck)
        await deck.press("a")
        await deck.shows("It is the quantization")
        assert [change.most for _, _, change in link.asked] == [128]


@pytest.mark.parametrize("key", ["n", "escape", "enter", "p"])
async def test_no_other_key_asks(key: str) -> None:
    link = link_with(3)
    async with running(link, clock=Clock(LATER)) as deck:
        await ask(deck)
        await deck.shows("y ask them again")
        assert "ask all" not in deck.text
        await deck.press(key)
        assert link.asked == []


async def test_keys_typed_before_the_dialog_was_seen_ask_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER)) as deck:
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("i")
        await deck.shows("The treatment's share")
        await deck.press("p", "y", "a")
        await deck.shows("y ask the newest 20")
        assert link.asked == []


async def test_it_goes_on_when_the_pane_is_left() -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER)) as deck:
        await ask(deck)
        link.gate.clear()
        await deck.press("y")
        await deck.shows("under way for")
        await deck.press("escape")
        assert deck.screen.NAME == "fleet"
        link.gate.set()
        await deck.shows("replay of int4_v1: It is the quantization")
        await deck.press("i", "v", "v")
        await deck.shows("REPLAY", "TREATMENT NOW")


async def test_an_error_is_shown_and_it_can_be_asked_for_again() -> None:
    link = link_with()
    link.pages[REPLAY] = ConflictError("The engines are being replaced.", "Wait for it.")
    async with running(link, clock=Clock(LATER)) as deck:
        await ask(deck)
        await deck.press("y")
        await deck.shows("x Conflict: The engines are being replaced.", "Wait for it.", "p asks them again")
        link.pages[REPLAY] = conclude(replayed().prompts[:2])
        await deck.press("p")
        await deck.dialog("replay")
        await deck.press("y")
        await deck.shows("Unclear (loop: of 2 prompts 0 on the control")


async def test_without_prompts_it_says_why_and_how_to_have_some() -> None:
    link = link_with(0)
    before = line(NOW + 60, "replay", "20 flagged prompts were asked again: It is upstream.", "cy")
    status = broken_experiment()
    tells(link, replace(report(flagged=0), timeline=(*status.timeline, before)))
    async with running(link, clock=Clock(LATER)) as deck:
        await deck.press("i")
        await deck.shows("The treatment's share")
        await deck.press("p")
        await deck.shows("REPLAY", "No flagged prompt is held", "keep_flagged = true")
        await deck.shows("The last one, 06-01 02:18:44 cy: 20 flagged prompts were asked again: It is")
        await deck.press("E")
        await deck.shows("No flagged prompt is held: none was flagged, or the profiles do not")
        assert (deck.screen.NAME, link.asked) == ("incident", [])


async def test_before_the_agent_has_answered_nothing_is_asked_or_exported() -> None:
    async with running(FakeLink(rack(broken_experiment()), van()), clock=Clock(LATER)) as deck:
        await deck.press("i", "p")
        await deck.shows("the agent has not told yet whether prompts are held")
        await deck.press("e")
        await deck.shows("nothing to export: the agent has not told what happened")
