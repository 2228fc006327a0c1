"""`a`: the pages of the fleet, whom they are asked of, and who takes them."""

from __future__ import annotations

from typing import Any

import pytest

from quantdeck_console.model.alarms import LOOK_S, Look, alarms_of, due, mark_of, of_nobody
from quantdeck_console.model.asked import Asked
from quantdeck_console.screens import dialog
from quantdeck_core.errors import ConflictError, ErrorInfo, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState, HostView, apply
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, PageCounts, PageList, ReceiverStatus, Snooze
from quantdeck_core.protocol.events import AlarmEvent, PagesEvent, Snapshot
from quantdeck_core.protocol.host import HostStatus
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, alarm, page, page_list, rack, van
from support.waiting import eventually

SNOOZED = page(2, level="warn", text="the disk is 91 % full", experiment="", snoozed_until=NOW + 1_800, snoozed_by="bo")
TAKEN = page(3, text="the gateway does not answer", experiment="", acknowledged_by="cy", acknowledged_at=NOW - 60)


def telling(**lists: PageList | ErrorInfo | UnreachableError) -> FakeLink:
    link = FakeLink(rack(), van())
    for host, listed in {"rack_1": page_list(), "van_7": page_list(), **lists}.items():
        link.pages[host.replace("_", "-"), "/v1/alerts"] = listed  # type: ignore[assignment]
    return link


async def opened(deck: Deck, *words: str) -> None:
    await deck.press("a")
    await deck.shows("alarms of the fleet", *words)


def fleet_of(*statuses: HostStatus) -> FleetState:
    state = FleetState.of(one.name for one in statuses)
    for one in statuses:
        state = apply(state, one.name, LinkChange(state="connected", role="operator"), NOW)
        state = apply(state, one.name, Snapshot(revision=1, status=one), NOW)
    return state


def look(view: HostView, listed: PageList | None, tried: float = NOW) -> Look:
    return Look(asked=Asked(value=listed, at=tried), mark=mark_of(view), tried=tried)


# Whom to ask


def test_everybody_is_asked_once_and_a_quiet_host_not_again() -> None:
    state = fleet_of(rack(), van())
    assert [view.name for view in due(state, {}, NOW)] == ["rack-1", "van-7"]
    looks = {name: look(view, page_list()) for name, view in state.hosts.items()}
    assert due(state, looks, NOW + 3_600) == []


def test_who_has_pages_or_did_not_tell_is_asked_again_after_a_while() -> None:
    state = fleet_of(rack(), van())
    error = Asked[PageList](error=ErrorInfo(code="x", title="x", detail="x"))
    looks = {
        "rack-1": look(state.hosts["rack-1"], page_list(page(1))),
        "van-7": Look(asked=error, mark=mark_of(state.hosts["van-7"]), tried=NOW),
    }
    assert due(state, looks, NOW + LOOK_S - 1) == []
    assert [view.name for view in due(state, looks, NOW + LOOK_S)] == ["rack-1", "van-7"]


@pytest.mark.parametrize(
    "news", [PagesEvent(revision=2, pages=PageCounts(nobody=1)), AlarmEvent(revision=2, alarm=alarm(9, "now"))]
)
def test_news_of_a_host_ask_it_at_once(news: Any) -> None:
    state = fleet_of(rack(), van())
    looks = {name: look(view, page_list()) for name, view in state.hosts.items()}
    assert [view.name for view in due(apply(state, "van-7", news, NOW), looks, NOW)] == ["van-7"]


def test_who_is_out_of_reach_is_not_asked_and_named() -> None:
    state = fleet_of(rack(), van())
    looks = {name: look(view, page_list(page(1))) for name, view in state.hosts.items()}
    state = apply(state, "van-7", LinkChange(state="lost"), NOW + 60)
    assert [view.name for view in due(state, looks, NOW + 60)] == ["rack-1"]
    alarms = alarms_of(state, looks, NOW + 60)
    assert alarms.silent == ("van-7",)
    assert [(row.host, row.stale) for row in alarms.rows] == [("rack-1", False), ("van-7", True)]
    assert list(of_nobody(alarms.rows)) == ["rack-1"]


def test_failures_then_what_nobody_has_then_the_oldest() -> None:
    state = fleet_of(rack())
    pages = (
        page(1, level="warn", began=NOW - 900), page(2, acknowledged_by="ada", began=NOW - 800),
        page(3, began=NOW - 50), page(4, began=NOW - 60), page(5, snoozed_until=NOW + 60), page(6, ended=NOW),
    )  # fmt: skip
    rows = alarms_of(state, {"rack-1": look(state.hosts["rack-1"], page_list(*pages))}, NOW).rows
    assert [row.page.id for row in rows] == [4, 3, 5, 2, 1]
    later = alarms_of(state, {"rack-1": look(state.hosts["rack-1"], page_list(*pages))}, NOW + 61).rows
    assert [row.page.id for row in later if row.state == "open"] == [5, 4, 3, 1]


# The pane


async def test_all_pages_of_the_fleet_and_who_has_them() -> None:
    async with running(telling(rack_1=page_list(page(1, count=2), TAKEN), van_7=page_list(SNOOZED))) as deck:
        await opened(
            deck, "1 page that nobody has, 1 snoozed, 1 acknowledged", "FAIL x", "WARN !", "snoozed to 02:47", "cy",
            "page 1, since 02:14:34, 2 times", "nobody has it", "next: Look at the incident",
        )  # fmt: skip
        await deck.press("j")
        await deck.shows("acknowledged by cy")
        await deck.press("G")
        await deck.shows("snoozed by bo for another 30 min")
        await deck.press("y")
        await deck.shows("copied: van-7 WARN !: the disk is 91 % full, snoozed by bo")
        await deck.press("escape")
        assert deck.screen.NAME == "fleet"


async def test_no_pages_is_one_calm_line() -> None:
    async with running(telling()) as deck:
        await opened(deck, "no pages on 2 hosts: nobody has to be told of anything")
        await deck.press("t")
        await deck.shows("t is not available: there is no page")


async def test_a_new_alarm_is_looked_at_at_once_and_the_cursor_stays() -> None:
    link = telling(rack_1=page_list(page(1, began=NOW - 10), TAKEN))
    async with running(link) as deck:
        await opened(deck, "1 page that nobody has")
        await deck.press("j")
        await deck.shows("acknowledged by cy")
        older = page(4, text="it is on fire", experiment="", began=NOW - 900)
        link.pages["van-7", "/v1/alerts"] = page_list(older)
        link.say("van-7", AlarmEvent(revision=2, alarm=alarm(9, "it is on fire")))
        await deck.shows("2 pages that nobody has", "it is on fire", "acknowledged by cy")


async def test_hosts_that_do_not_tell_and_receivers_that_take_nothing_are_named() -> None:
    deaf = (ReceiverStatus(name="slack-1", kind="slack", waiting=3, problem="it answered with HTTP 403"),)
    link = telling(rack_1=page_list(page(1), receivers=deaf), van_7=UnreachableError("van-7 did not answer."))
    async with running(link, size=(120, 36)) as deck:
        await opened(
            deck, "? van-7 does not tell: van-7 did not answer.",
            "! rack-1: slack-1 takes no pages: it answered with HTTP 403; waiting: 3",
        )  # fmt: skip
        link.pages["van-7", "/v1/alerts"] = page_list(receivers=())
        link.say("van-7", PagesEvent(revision=2, pages=PageCounts(deaf=1)))
        await deck.shows("nobody outside is told of pages on van-7")
        link.say("rack-1", LinkChange(state="lost", detail="reset"))
        await deck.shows("? 1 host out of reach, with pages that may go on: rack-1", "this is what it said last")
        assert "that nobody has" not in deck.text


async def test_enter_opens_what_the_page_is_about() -> None:
    async with running(telling(rack_1=page_list(page(1)), van_7=page_list(SNOOZED))) as deck:
        await opened(deck, "1 page that nobody has")
        await deck.press("enter")
        await deck.shows("int4_v1 on rack-1", "CONTROL")
        await deck.press("escape", "G", "enter")
        await eventually(lambda: deck.screen.NAME == "host")
        await deck.shows("cpu 12%")


async def test_a_page_is_acknowledged_once_however_often_enter_is_pressed() -> None:
    link = telling(rack_1=page_list(page(1)))
    async with running(link) as deck:
        await opened(deck, "nobody has it")
        await deck.press("t")
        await deck.dialog("form")
        await deck.shows(
            "acknowledge page 1 of rack-1", "since 02:14:34, nobody has it", "It is not repeated any more."
        )
        link.gate.clear()
        link.answers["rack-1"] = [page(1, acknowledged_by="ada", acknowledged_at=NOW)]
        await deck.press(*"mine", "enter", "enter", "enter")
        await deck.shows("sent, waiting for the agent")
        link.pages["rack-1", "/v1/alerts"] = page_list(page(1, acknowledged_by="ada", acknowledged_at=NOW))
        link.gate.set()
        await deck.shows("done: acknowledged by ada: it is not repeated")
        [(host, path, ask)] = link.asked
        assert isinstance(ask, Acknowledge)
        assert (host, path, ask.by, ask.note) == ("rack-1", "/v1/alerts/1/acknowledge", "ada", "mine")
        await deck.press("enter")
        await deck.shows("somebody has every page, 1 acknowledged", "acknowledged by ada")


async def test_snoozing_asks_for_how_long() -> None:
    link = telling(rack_1=page_list(page(1)))
    link.answers["rack-1"] = [page(1, snoozed_until=NOW + 1_800, snoozed_by="ada")]
    async with running(link) as deck:
        await opened(deck, "nobody has it")
        await deck.press("s")
        await deck.dialog("form")
        await deck.press(*"soon", "enter")
        await deck.shows("x Cannot use this input: 'soon' is not a length of time")
        assert link.asked == []
        await deck.press(*["backspace"] * 4, *"9d", "enter")
        await deck.shows("9d is too long or nothing.", "up to 7d")
        await deck.press(*["backspace"] * 2, *"30m", "enter")
        await deck.shows("done: snoozed: until 02:47:44")
        [(_, _, ask)] = link.asked
        assert isinstance(ask, Snooze)
        assert ask.seconds == 1_800


async def test_handing_over_asks_who_and_what_they_should_know() -> None:
    link = telling(rack_1=page_list(page(1)))
    link.answers["rack-1"] = [page(1, owner="bo", note="cold")]
    async with running(link) as deck:
        await opened(deck, "nobody has it")
        await deck.press("h")
        await deck.dialog("form")
        await deck.press("enter")
        await deck.shows("Say who takes it.")
        await deck.press(*"bo", "enter", "enter")
        await deck.shows("Say what they should know.")
        assert link.asked == []
        await deck.press(*"cold", "enter")
        await deck.shows("done: handed over: to bo, who is told now")
        [(_, path, ask)] = link.asked
        assert isinstance(ask, HandOver)
        assert (path, ask.to, ask.note) == ("/v1/alerts/1/handover", "bo", "cold")


async def test_what_somebody_else_ended_meanwhile_is_said() -> None:
    link = telling(rack_1=page_list(page(1)))
    link.answers["rack-1"] = [ConflictError("Page 1 has ended: cleared.", "There is nothing left to take.")]
    async with running(link) as deck:
        await opened(deck, "nobody has it")
        await deck.press("t")
        await deck.dialog("form")
        await deck.press("enter")
        await deck.shows("x Conflict: Page 1 has ended: cleared.", "There is nothing left to take.")


async def test_all_that_nobody_has_is_taken_at_once_and_what_is_out_of_reach_stays_pending() -> None:
    link = telling(rack_1=page_list(page(1), page(4, text="cold"), TAKEN), van_7=page_list(page(5, experiment="")))
    link.answers["rack-1"] = [page(1, acknowledged_by="ada"), page(4, acknowledged_by="ada")]
    link.answers["van-7"] = [UnreachableError("van-7 did not answer.")]
    async with running(link) as deck:
        await opened(deck, "3 pages that nobody has")
        await deck.press("T")
        await deck.dialog("form")
        await deck.shows("3 pages on 2 hosts, which nobody has:", "rack-1: cold")
        await deck.press("enter")
        await deck.shows("not done: applied on 1 of 2 hosts", "2 pages", "unreachable")
        link.pages["van-7", "/v1/alerts"] = page_list(page(5, experiment="", acknowledged_by="ada"))
        link.answers["van-7"] = [page(5, experiment="", acknowledged_by="ada")]
        await deck.shows("done: acknowledged by ada, on 2 hosts")
        assert [path for host, path, _ in link.asked if host == "rack-1"] == [
            "/v1/alerts/1/acknowledge", "/v1/alerts/4/acknowledge"
        ]  # fmt: skip
        assert len({ask.request_id for host, _, ask in link.asked if host == "van-7"}) == 1


async def test_enter_typed_ahead_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    link = telling(rack_1=page_list(page(1)))
    async with running(link) as deck:
        await opened(deck, "nobody has it")
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        for key in ("t", "s"):
            await deck.press(key, "enter")
            await eventually(lambda: deck.screen.NAME == "form")
            assert link.asked == []
            await deck.press("escape")


@pytest.mark.parametrize(("options", "role"), [({"readonly": True}, "admin"), ({}, "viewer")])
async def test_who_may_only_look_takes_nothing(options: dict[str, bool], role: str) -> None:
    link = telling(rack_1=page_list(page(1)))
    async with running(link, **options) as deck:
        for host in ("rack-1", "van-7"):
            link.say(host, LinkChange(state="connected", role=role))
        await opened(deck, "nobody has it", "read-only")
        for key in ("t", "s", "h", "T"):
            await deck.press(key)
            await deck.shows(f"{key} is not available")
            assert deck.screen.NAME == "alarms"
        assert link.asked == []


async def test_the_header_counts_what_nobody_has_on_hosts_that_are_connected() -> None:
    counts = PageCounts(nobody=2, taken=1)
    async with running(FakeLink(rack(pages=counts), van(pages=PageCounts(nobody=1)))) as deck:
        await deck.shows("3 pages !")
        deck.link.say("van-7", LinkChange(state="lost"))
        await deck.shows("2 pages !")
        deck.link.say("rack-1", PagesEvent(revision=2, pages=PageCounts(taken=3)))
        await deck.hides("pages !")


async def test_what_stands_in_a_page_is_text() -> None:
    evil = "a[/oops]\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202eb"
    seen = "a[/oops]]52;c;ZXZpbA==[2Jb"
    listed = page_list(
        page(1, text=evil, note=evil, owner=evil, hint=evil, experiment=evil),
        page(2, acknowledged_by=evil, text=evil),
        receivers=(ReceiverStatus(name=evil, kind="slack", problem=evil),),
    )  # fmt: skip
    link = telling(rack_1=listed, van_7=UnreachableError(evil))
    link.answers["rack-1"] = [page(1, snoozed_until=NOW + 60)]
    async with running(link, size=(120, 36)) as deck:
        await opened(deck, seen, f"note: {seen}", f"next: {seen}", f"handed over to {seen}")
        for key in ("t", "s", "h", "T"):
            await deck.press(key)
            await deck.dialog("form")
            await deck.shows(seen)
            assert not any((ord(char) < 32 and char != "\n") or char == "\u202e" for char in deck.text)
            await deck.press("escape")


async def test_it_is_asked_while_it_is_open_only() -> None:
    async with running(telling(rack_1=page_list(page(1)))) as deck:

        def looking() -> bool:
            return any(one.group == "looking" and one.is_running for one in deck.app.workers)

        await opened(deck, "nobody has it")
        assert looking()
        await deck.press("escape")
        await eventually(lambda: not looking())
