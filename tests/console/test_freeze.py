"""`f` and `u`: every host of the fleet, each one's acknowledgement, and who holds it."""

from __future__ import annotations

import pytest

from quantdeck_console.screens import dialog
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import FreezeEvent
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Applied, FreezeAsk
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, experiment, frozen, plan, rack, van

LOST = UnreachableError("van-7 did not answer within 5 s.", "It is tried again.")
APPLIED = Applied(revision=0, effective_ms=0.0)


async def typed(deck: Deck, key: str, *words: str) -> None:
    await deck.press(key)
    await deck.dialog("form")
    await deck.press(*words)


def asked(link: FakeLink) -> list[tuple[str, str, FreezeAsk]]:
    return link.asked


async def test_it_says_what_it_holds_takes_a_reason_and_asks_every_host_once() -> None:
    link = FakeLink(rack(experiment(progress=plan())), van())
    async with running(link) as deck:
        await typed(deck, "f")
        await deck.shows("Holds all automation on 2 hosts", "int4_rollout_v1 on rack-1", "Rollbacks still happen")
        await deck.press("enter")
        await deck.shows("Nothing was typed.")
        link.gate.clear()
        await deck.press(*"launch", "enter", "enter", "enter")
        await deck.shows("sent", "not done: applied on 0 of 2 hosts")
        link.gate.set()
        await deck.shows("done: nothing but a rollback moves by itself, on 2 hosts")
        assert sorted((host, path, ask.by, ask.reason) for host, path, ask in asked(link)) == [
            ("rack-1", "/v1/freeze", "ada", "launch"),
            ("van-7", "/v1/freeze", "ada", "launch"),
        ]
        await deck.press("enter")
        assert deck.screen.NAME == "fleet"


async def test_a_host_out_of_reach_stays_pending_until_it_has_it() -> None:
    link = FakeLink(rack(), van())
    link.answers["van-7"] = [LOST]
    async with running(link) as deck:
        await typed(deck, "f", *"launch", "enter")
        await deck.shows("not done: applied on 1 of 2 hosts", "unreachable", "did not answer within 5 s")
        await deck.press("escape")
        await deck.shows("! freeze of the fleet: unreachable on van-7; trying again")
        link.answers["van-7"] = [APPLIED]
        await deck.hides("trying again")
        assert len({ask.request_id for _, _, ask in asked(link)}) == 1


async def test_letting_it_go_on_ends_a_freeze_that_has_not_arrived_everywhere() -> None:
    link = FakeLink(rack(), van())
    link.answers["van-7"] = [LOST]
    async with running(link) as deck:
        await typed(deck, "f", *"launch", "enter")
        await deck.shows("unreachable")
        await deck.press("escape")
        deck.link.say("rack-1", FreezeEvent(revision=2, frozen=frozen("ada", "launch")))
        await deck.shows("FROZEN 1/2 by ada")
        await typed(deck, "u", *"done", "enter")
        await deck.shows("not done: applied on 1 of 2 hosts")
        link.answers["van-7"] = [APPLIED]
        await deck.shows("done: automation goes on, on 2 hosts")
        await deck.press("escape")
        await deck.hides("trying again")
        assert [path for host, path, _ in asked(link) if host == "van-7"][-1] == "/v1/unfreeze"


async def test_the_header_says_who_holds_it_on_every_pane() -> None:
    async with running(FakeLink(rack(frozen=frozen()), van())) as deck:
        await deck.shows("FROZEN 1/2 by bo")
        deck.link.say("van-7", FreezeEvent(revision=2, frozen=frozen("ada")))
        await deck.shows("FROZEN by bo and 1 more")
        await deck.press("4")
        await deck.shows("int4_v1 on rack-1", "FROZEN by bo and 1 more")
        for host in ("rack-1", "van-7"):
            deck.link.say(host, FreezeEvent(revision=3, frozen=None))
        await deck.hides("FROZEN")


async def test_what_is_frozen_is_not_frozen_again_and_what_is_not_does_not_go_on() -> None:
    async with running(FakeLink(rack(frozen=frozen()))) as deck:
        await deck.press("f")
        await deck.shows("f is not available: the whole fleet is frozen already; u lets it go on")
        await typed(deck, "u")
        await deck.shows("frozen by bo since 02:10: the launch is today")
        await deck.press("escape")
        deck.link.say("rack-1", FreezeEvent(revision=3, frozen=None))
        await deck.hides("FROZEN")
        await deck.press("u")
        await deck.shows("u is not available: nothing is frozen")
        assert deck.link.asked == []


async def test_a_host_that_refuses_is_said_and_not_asked_again() -> None:
    link = FakeLink(rack(), van())
    info = ErrorInfo(code="forbidden", title="Not allowed", detail="You are a viewer.", hint="Ask an operator.")
    link.answers["van-7"] = [RemoteError(info, 403)]
    async with running(link) as deck:
        await typed(deck, "f", *"launch", "enter")
        await deck.shows("refused", "You are a viewer. Ask an operator.", "not done: applied on 1 of 2 hosts")
        await deck.press("enter")
        assert deck.screen.NAME == "fleet"
        assert len(link.asked) == 2


@pytest.mark.parametrize(
    ("options", "roles", "why"),
    [
        ({"readonly": True}, ("admin", "admin"), "this console was started with --readonly"),
        ({}, ("viewer", "viewer"), "you are a viewer on rack-1"),
        ({}, ("viewer", "operator"), ""),
    ],
)
async def test_who_may_change_one_host_may_ask(options: dict[str, bool], roles: tuple[str, str], why: str) -> None:
    async with running(FakeLink(rack(), van()), **options) as deck:
        for host, role in zip(("rack-1", "van-7"), roles, strict=True):
            deck.link.say(host, LinkChange(state="connected", role=role))
        deck.draw()
        await deck.press("f")
        await (deck.shows(why) if why else deck.dialog("form"))
        assert ("fleet" if why else "form") == deck.screen.NAME


async def test_keys_typed_ahead_send_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(), van())) as deck:
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("f", *"launch", "enter")
        await deck.shows("launch")
        assert deck.link.asked == []


async def test_a_thousand_hosts_fit_a_dialog_and_those_that_have_not_answered_come_first() -> None:
    hosts: list[HostStatus] = [van(name=f"host-{number}") for number in range(1000)]
    link = FakeLink(*hosts)
    link.answers["host-777"] = [LOST]
    async with running(link) as deck:
        await typed(deck, "f", *"launch", "enter")
        await deck.shows("not done: applied on 999 of 1,000 hosts", "host-777", "unreachable", "more hosts")
        lines = deck.text.splitlines()
        first = next(index for index, line in enumerate(lines) if "not done" in line) + 2
        assert "host-777" in lines[first]


async def test_words_of_others_are_text() -> None:
    evil = frozen("b[/o]\x1b]0;x\x07", "r\x1b[2J[bold]")
    async with running(FakeLink(rack(frozen=evil)), clock=None) as deck:
        await deck.shows("FROZEN by b[/o]]0;x")
        await typed(deck, "u")
        await deck.shows("frozen by b[/o]]0;x since 02:10: r[2J[bold]")
        assert deck.clock.now == NOW
