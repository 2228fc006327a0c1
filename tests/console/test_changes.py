"""Changes of weight, clearing the latch, and the gate in front of both."""

from __future__ import annotations

import pytest

from quantdeck_console.app import ExtraAction
from quantdeck_core.errors import ConflictError, ErrorInfo, InputError, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.requests import Applied, ChangeWeight, ClearLatch
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, changed, experiment, rack, replace, rolled_back, van


async def open_weight(deck: Deck, *typed: str) -> None:
    await deck.press("w")
    await deck.dialog("weight")
    await deck.press(*typed)


async def test_a_weight_is_previewed_then_sent_with_the_revision_that_was_seen() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await open_weight(deck, *"12.5")
        await deck.shows("12.5 % of users: 90/10 -> 87.5/12.5", "up: 2.5 % of users move to the treatment")
        assert deck.link.asked == []
        await deck.press("enter")
        await deck.shows("applied, effective in 6.2 ms")
        [(host, name, change)] = deck.link.asked
        assert isinstance(change, ChangeWeight)
        assert (host, name, change.weight_bp, change.revision, change.by) == ("rack-1", "int4_v1", 1_250, 3, "ada")
        await deck.press("enter")
        assert deck.screen.NAME == "fleet"


async def test_a_weight_that_the_gateway_does_not_have_yet_is_pending() -> None:
    link = FakeLink(rack(experiment(weight_bp=5_000)), van())
    link.answers["rack-1"] = [Applied(revision=5, pending=True, detail="saved, not effective yet: no answer")]
    async with running(link) as deck:
        await deck.press("w")
        await deck.dialog("weight")
        await deck.press("enter")
        await deck.shows("PENDING: saved, not effective yet")


async def test_lowering_says_who_goes_back() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await open_weight(deck, "0")
        await deck.shows("90/10 -> 100/0", "down: 10 % of users go back to the control")


async def test_escape_changes_nothing() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await open_weight(deck, *"50", "escape")
        assert deck.screen.NAME == "fleet"
        assert deck.link.asked == []


@pytest.mark.parametrize("typed", ["101", "5.555", "..", "50.5.5"])
async def test_what_is_no_weight_is_refused_here_and_kept(typed: str) -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await open_weight(deck, *typed, "enter")
        await deck.shows("x Cannot use this input:", "Give a percentage from 0 to 100", typed)
        assert deck.link.asked == []


async def test_enter_twice_sends_once() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        deck.link.gate.clear()
        await open_weight(deck, *"50", "enter", "enter", "enter")
        await deck.shows("sent, waiting for the agent")
        deck.link.gate.set()
        await deck.shows("applied")
        assert len(deck.link.asked) == 1


async def test_a_lost_answer_is_repeated_with_the_same_request_id_and_nothing_typed_is_lost() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        lost = UnreachableError("rack-1 did not answer.", "Press Enter to send it again; it is applied once.")
        deck.link.answers["rack-1"] = [lost, lost, *FakeLink().answers.get("rack-1", [])]
        await open_weight(deck, *"50", "enter")
        await deck.shows("x Unreachable: rack-1 did not answer.", "it is applied once", "90/10 -> 50/50")
        deck.link.answers = {}
        await deck.press("enter")
        await deck.shows("applied")
        first, second = (change for _, _, change in deck.link.asked)
        assert first == second


async def test_after_a_conflict_the_dialog_is_based_on_what_is_true_now() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        info = ErrorInfo(code="conflict", title="Conflict", detail="Somebody changed it first.", hint="Look again.")
        deck.link.answers["rack-1"] = [RemoteError(info, 409)]
        await open_weight(deck, *"50")
        newer = experiment(weight_bp=2_000)
        deck.link.say("rack-1", changed(replace(newer, state=replace(newer.state, revision=4))))
        await deck.press("enter")
        await deck.shows("Somebody changed it first.", "Look again.", "80/20 -> 50/50")
        deck.link.answers = {}
        await deck.press("enter")
        await deck.shows("applied")
        assert [change.revision for _, _, change in deck.link.asked if isinstance(change, ChangeWeight)] == [3, 4]
        assert len({change.request_id for _, _, change in deck.link.asked}) == 2


async def test_everyone_on_the_treatment_asks_for_the_name() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await open_weight(deck, *"100", "enter")
        await deck.shows("type int4_v1 to send everyone", "x Cannot use this input: This sends everyone")
        assert deck.link.asked == []
        await deck.press(*"int4_v1", "enter")
        await deck.shows("applied")
        assert len(deck.link.asked) == 1


async def test_raising_while_rolled_back_shows_the_agents_words() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        deck.link.answers["rack-1"] = [ConflictError("The experiment is rolled back.", "Clear it first.")]
        await open_weight(deck, *"50", "enter")
        await deck.shows("x Conflict: The experiment is rolled back.", "Clear it first.")


async def test_the_latch_is_cleared_with_a_reason_only() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.press("enter", "c")
        await deck.dialog("form")
        await deck.shows("100/0 -> 95/5", "rolled back 02:17:31 by quantdeck")
        await deck.press("enter")
        await deck.shows("Nothing was typed.", "Say why the treatment may have users again.")
        await deck.press(*"fixed", "space", *"it", "enter")
        await deck.shows("done: the treatment may have users again, effective in 6.2 ms")
        [(_, _, change)] = deck.link.asked
        assert isinstance(change, ClearLatch)
        assert (change.reason, change.revision) == ("fixed it", 6)


async def test_nothing_to_clear_without_a_latch() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("enter", "c")
        await deck.shows("c is not available: it is not rolled back")


@pytest.mark.parametrize(
    ("options", "link_change", "why"),
    [
        ({"readonly": True}, {"role": "admin"}, "this console was started with --readonly"),
        ({}, {"role": "viewer"}, "you are a viewer on rack-1"),
        ({}, {"role": "admin", "read_only": True}, "rack-1 speaks another version"),
    ],
)
async def test_read_only_removes_every_dangerous_action(
    options: dict[str, bool], link_change: dict[str, object], why: str
) -> None:
    async with running(FakeLink(rack(rolled_back()), van()), **options) as deck:
        deck.link.say("rack-1", LinkChange(state="connected", **link_change))  # type: ignore[arg-type]
        deck.draw()
        await deck.shows("read-only")
        assert "roll back" not in deck.text.splitlines()[-1]
        for key in ("w", "R"):
            await deck.press(key)
            await deck.shows(why)
            assert deck.screen.NAME == "fleet"
        await deck.press("enter")
        await deck.shows("CONTROL")
        for key in ("w", "R", "c"):
            await deck.press(key)
            assert deck.screen.NAME == "experiment"
        deck.clock.now += 7
        await deck.press("colon")
        await deck.dialog("palette")
        assert "put everyone back" not in deck.text
        assert deck.link.asked == []


async def test_the_palette_runs_actions_by_name() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("ctrl+p")
        await deck.dialog("palette")
        await deck.press(*"roll")
        await deck.hides("copy the sentence")
        await deck.press("enter")
        await deck.dialog("rollback")


async def test_extra_actions_run_and_say_how_it_went() -> None:
    async def damage() -> str:
        return "the treatment is damaged [/now]"

    async def fail() -> str:
        raise InputError("There is no model.", "Make one.")

    extras = [
        ExtraAction("demo: damage the treatment", "swap in a broken checkpoint", damage),
        ExtraAction("demo: fail", "", fail),
    ]
    async with running(FakeLink(rack(), van()), extra_actions=extras) as deck:
        await deck.press("colon")
        await deck.dialog("palette")
        await deck.press(*"dam", "enter")
        await deck.shows("the treatment is damaged [/now]")
        await deck.press("colon")
        await deck.dialog("palette")
        await deck.press("down", "enter")
        await deck.shows("x Cannot use this input: There is no model. Make one.")


async def test_errors_of_the_link_and_of_the_background_are_shown() -> None:
    async def background() -> None:
        raise UnreachableError("The traffic ended.", "Look at the log.")

    async with running(FakeLink(rack(), van()), background=background) as deck:
        await deck.shows("x Unreachable: The traffic ended. Look at the log.")
        deck.clock.now = NOW + 7
        await deck.shows("Enter open")


async def test_help_lists_every_action_of_the_registry() -> None:
    from quantdeck_console.actions.registry import ACTIONS

    async with running(FakeLink(rack(), van()), size=(100, 280)) as deck:
        await deck.press("question_mark")
        await deck.shows("Everywhere", "Rollback dialog")
        for action in ACTIONS:
            if action.where not in ("help", "palette"):
                assert (action.help in deck.text) != action.playing, action
        await deck.press("escape")
        assert deck.screen.NAME == "fleet"
