"""The weight dialog's preview: who moves, what it does, what speaks against it; one gateway or all of them."""

from __future__ import annotations

import pytest

from quantdeck_console.actions.weight import change_of, doubts, effects, needs_reason, who_moves
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol.requests import Applied, ChangeWeight
from quantdeck_core.rollout.readiness import Readiness
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import arm, experiment, plan, rack, replace, van

OTHER = replace(experiment(weight_bp=500), state=replace(experiment(weight_bp=500).state, revision=8))


async def opened(deck: Deck, *typed: str) -> None:
    await deck.press("w")
    await deck.dialog("weight")
    await deck.press(*typed)


@pytest.mark.parametrize(
    ("new_bp", "text"),
    [
        (1_000, "nobody moves"),
        (5_500, "up: 45 % of users move to the treatment, about 90 of 181 seen on the control; nobody moves back"),
        (10_000, "up: 90 % of users move to the treatment, about 181 of 181 seen on the control; nobody moves back"),
        (500, "down: 5 % of users go back to the control, about 10 of 19 seen on the treatment; nobody else moves"),
        (0, "down: 10 % of users go back to the control, about 19 of 19 seen on the treatment; nobody else moves"),
    ],
)
def test_who_moves(new_bp: int, text: str) -> None:
    assert who_moves(experiment(), new_bp) == text


def test_of_users_that_nobody_has_seen_only_the_share_is_said() -> None:
    unseen = experiment(control=arm("control", 0, users=0))
    assert who_moves(unseen, 5_000) == "up: 40 % of users move to the treatment; nobody moves back"


def test_what_it_does() -> None:
    assert effects(experiment(), 5_000, 12.3) == [
        "6 requests under way: answered where they are",
        "expected: 6.2 of 12 requests/s on the treatment, 1.2 now",
    ]
    assert effects(experiment(progress=plan()), 500, None)[-1] == "the plan int4_rollout_v1 is paused by it"
    assert effects(experiment(progress=plan(phase="done")), 500, None) == effects(experiment(), 500, None)
    assert effects(experiment(), 1_000, 12.3) == []


def test_what_speaks_against_a_rise_and_not_against_the_way_back() -> None:
    looping = experiment(treatment=arm("treatment", 131, loops=12), rollback=Readiness(can=False, why="no room"))
    assert doubts(looping, 5_000) == [
        "watch: loops +8.8 points over the control", "nobody could be put back now: no room"
    ]  # fmt: skip
    assert doubts(looping, 500) == []
    assert doubts(experiment(treatment=arm("treatment", 12)), 5_000) == [
        "no verdict yet: needs 38 more outputs of the treatment"
    ]
    assert doubts(experiment(), 10_000) == ["nobody stays on the control: there is nothing left to compare with"]


def test_a_rise_past_a_plan_takes_a_reason() -> None:
    planned = experiment(progress=plan())
    assert needs_reason(planned, 5_000)
    assert not needs_reason(planned, 500)
    assert not needs_reason(experiment(), 5_000)
    assert change_of(1_000, 1_000) == "stays 90/10"


async def test_the_dialog_says_all_of_it() -> None:
    watched = experiment(treatment=arm("treatment", 131, loops=12), progress=plan())
    async with running(FakeLink(rack(watched))) as deck:
        await opened(deck, *"50")
        await deck.shows(
            "50 % of users: 90/10 -> 50/50", "about 80 of 181 seen on the", "6 requests under way",
            "6.2 of 12 requests/s", "the plan int4_rollout_v1 is paused by it", "! watch: loops +8.8 points",
        )  # fmt: skip
        await deck.press("enter")
        await deck.shows("It goes past the plan.")
        assert deck.link.asked == []
        await deck.press(*"test", "enter")
        await deck.shows("applied")
        assert deck.link.asked[0][2].reason == "test"


async def test_all_gateways_each_with_its_own_revision() -> None:
    async with running(FakeLink(rack(), van(experiments=(OTHER,)))) as deck:
        await opened(deck, *"50")
        await deck.shows("on rack-1 only, one of 2 gateways", "Ctrl+G all 2 gateways")
        await deck.press("ctrl+g")
        await deck.shows("on all 2 gateways:", "90/10 -> 50/50", "95/5 -> 50/50")
        deck.link.gate.clear()
        await deck.press("enter", "enter")
        await deck.shows("not done: applied on 0 of 2 gateways", "sent")
        deck.link.gate.set()
        await deck.shows("done: 50 % of users are on the treatment, on 2 gateways")
        asks = [(host, ask) for host, _, ask in deck.link.asked]
        assert all(isinstance(ask, ChangeWeight) for _, ask in asks)
        assert sorted((host, ask.weight_bp, ask.revision) for host, ask in asks) == [
            ("rack-1", 5_000, 3), ("van-7", 5_000, 8)
        ]  # fmt: skip
        await deck.press("enter")
        assert deck.screen.NAME == "fleet"


async def test_one_gateway_of_all_refuses_and_another_is_out_of_reach() -> None:
    link = FakeLink(rack(), van(experiments=(OTHER,)), van(name="van-8", experiments=(OTHER,)))
    info = ErrorInfo(code="conflict", title="Conflict", detail="Somebody changed it first.", hint="Look again.")
    link.answers["van-7"] = [RemoteError(info, 409)]
    link.answers["van-8"] = [UnreachableError("van-8 is not connected.", "")]
    async with running(link) as deck:
        await opened(deck, *"50", "ctrl+g", "enter")
        await deck.shows(
            "not done: applied on 1 of 3 gateways", "refused", "Somebody changed it first. Look again.", "unreachable",
            "Esc gives up: nothing more is asked of van-8",
        )  # fmt: skip
        link.answers["van-8"] = [Applied(revision=9, pending=True, detail="saved, not effective yet: no answer")]
        await deck.shows("saved, not effective yet")
        assert "done: 50" not in deck.text
        await deck.press("escape")
        assert deck.app.runs.all == []


async def test_without_other_gateways_there_is_nothing_to_choose() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await opened(deck, "ctrl+g", *"50", "enter")
        await deck.shows("applied, effective in 6.2 ms")
        assert "gateways" not in deck.text
