"""The first screen says what is wrong in a sentence, what became of it, and which key goes on from there."""

from __future__ import annotations

import pytest

from quantdeck_console import app as app_module
from quantdeck_console.model.next_steps import next_steps
from quantdeck_core.fleet.headline import Headline
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.events import AlarmEvent, FreezeEvent, PagesEvent
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import alarm, experiment, frozen, rack, rolled_back, van
from support.waiting import eventually

HALF = experiment(weight_bp=5_000)


def gateways() -> FakeLink:
    """Rolled back on one of three."""
    others = (van(name=name, experiments=(HALF,)) for name in ("van-7", "van-8"))
    return FakeLink(rack(rolled_back(), pages=PageCounts(nobody=1)), *others)


@pytest.mark.parametrize(
    ("headline", "selected", "pages", "steps"),
    [
        (Headline(level="ok", text="all quiet"), "a", 0, []),
        (Headline(level="ok", text="all quiet"), "a", 2, ["alarms"]),
        (Headline(level="ok", text="all quiet", rest="frozen by bo"), "a", 0, ["unfreeze"]),
        (Headline(level="ok", text="nothing is deployed yet", bare=True), "a", 0, ["deploy"]),
        (Headline(level="stale", text="link lost", hosts=("a",)), "a", 0, ["open"]),
        (Headline(level="stale", text="link lost", hosts=("a",)), "b", 0, ["top"]),
        (Headline(level="fail", text="e", hosts=("a",), experiment="e"), "a", 1, ["open", "incident", "alarms"]),
        (
            Headline(level="fail", text="e", hosts=("a",), experiment="e", undone=True),
            "a",
            0,
            ["roll_back", "open", "incident"],
        ),
    ],
)
def test_the_next_step_fits_what_is_wrong(headline: Headline, selected: str, pages: int, steps: list[str]) -> None:
    assert [name for name, _ in next_steps(headline, selected, pages)] == steps


async def test_the_whole_way_takes_four_keys() -> None:
    link = gateways()
    async with running(link, size=(120, 36)) as deck:
        await deck.shows(
            "x rack-1  int4_v1: 47.1% of answers loop, limit 15%, 117.6x the control",
            "Rolled back 02:17:31 on 1 of 3 gateways; NOT on van-7 (50 %), van-8 (50 %)",
            "R roll back   Enter look   i what happened   a who has it",
        )  # fmt: skip
        await deck.press("enter")
        await deck.shows("ROLLED BACK", "117.6x the control")
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.shows("100/0, latched", "50/50 -> 100/0")
        await deck.press("y")
        await deck.shows("done: everyone is on the control, on 3 gateways")
        assert {host for host, _, _ in link.asked} == {"rack-1", "van-7", "van-8"}


async def test_who_may_not_roll_back_is_not_offered_it() -> None:
    async with running(gateways(), readonly=True) as deck:
        await deck.shows("Enter look   i what happened   a who has it")
        assert "R roll back" not in deck.text


async def test_keys_that_act_on_another_host_are_not_offered() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.shows("Enter look   i what happened")
        await deck.press("j")
        await deck.shows("g goes there")
        assert "Enter look" not in deck.text
        await deck.press("g")
        await deck.shows("Enter look   i what happened")


async def test_a_quiet_fleet_is_one_calm_line_and_a_frozen_one_two() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        top = deck.text.splitlines()[1:4]
        assert top == [" all quiet: 2 hosts, 3 engines ready", "", ""]
        for host in ("rack-1", "van-7"):
            deck.link.say(host, FreezeEvent(revision=2, frozen=frozen()))
        await deck.shows("frozen by bo since 02:10: the launch is today", "u let it go on", "FROZEN by bo")


async def test_what_was_wrong_and_is_under_way_stands_above_the_sentence() -> None:
    link = gateways()
    async with running(link) as deck:
        link.gate.clear()
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y", "escape")
        deck.clock.now += 5
        for host in link.hosts:
            link.say(host, LinkChange(state="connected", role="operator"))
        await deck.shows(
            "! rollback of int4_v1: pending on rack-1, van-7, van-8; trying again", "x rack-1  int4_v1: 47"
        )


async def test_the_title_calls_until_somebody_has_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "PAGED_AFTER_S", 0.0)
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        deck.link.say("rack-1", PagesEvent(revision=2, pages=PageCounts(nobody=2)))
        deck.link.say("rack-1", AlarmEvent(revision=3, alarm=alarm(2, "it loops")))
        deck.draw()
        assert deck.app.terminal_title == "! rack-1: it loops"
        deck.link.say("rack-1", PagesEvent(revision=4, pages=PageCounts(nobody=1, taken=1)))
        deck.draw()
        assert deck.app.terminal_title == "! rack-1: it loops"
        deck.link.say("rack-1", PagesEvent(revision=5, pages=PageCounts(taken=2)))
        await eventually(lambda: deck.app.terminal_title == "quantdeck")
        await deck.shows("FAIL x")


async def test_the_title_waits_for_a_page_that_an_alarm_is_about_to_become() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        deck.link.say("rack-1", AlarmEvent(revision=3, alarm=alarm(2, "it loops")))
        deck.draw()
        assert deck.app.terminal_title == "! rack-1: it loops"


async def test_the_title_calls_on_while_a_host_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "PAGED_AFTER_S", 0.0)
    async with running(FakeLink(rack(rolled_back(), pages=PageCounts(nobody=1)), van())) as deck:
        deck.link.say("rack-1", AlarmEvent(revision=3, alarm=alarm(2, "it loops")))
        deck.link.say("rack-1", LinkChange(state="lost"))
        deck.draw()
        assert deck.app.terminal_title == "! rack-1: it loops"
