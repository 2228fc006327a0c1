"""Pane 5 as a person sees it, at both sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from support.decks import Deck, running
from support.fake_link import Clock, FakeLink
from support.fleets import experiment, rack, replace, rolled_back, van
from support.incidents import LATER, broken_experiment, line, page, pages, replayed, report, tells
from support.pictures import SIZES, Pictures

INCIDENT = "/v1/experiments/int4_v1/incident"
REPLAY = "/v1/experiments/int4_v1/replay"


def broken() -> FakeLink:
    link = FakeLink(rack(broken_experiment()), van())
    tells(link, report(), listed=pages(page()))
    link.pages[("rack-1", REPLAY)] = replayed()
    return link


async def look(deck: Deck, *keys: str) -> None:
    await deck.press("i")
    await deck.shows("The treatment's share")
    await deck.press(*keys)


@SIZES
async def test_calm(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(rack(), van())
    tells(link, report(bad=False), listed=pages())
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await deck.press("i")
        await deck.shows("No signal of the treatment rose")
        await picture(deck, "incident-calm")


@SIZES
async def test_busy(picture: Pictures, size: tuple[int, int]) -> None:
    status = broken_experiment()
    many = tuple(
        line(LATER - 12 * 3_600 + at * 600, "weight" if at % 3 else "canary", f"weight {at} % -> {at + 1} %", "ada")
        for at in range(60)
    )
    link = broken()
    tells(link, report(timeline=(*many, *status.timeline)), listed=pages(page(acknowledged_by="bo")))
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await look(deck)
        await deck.shows("TIMELINE  72 lines")
        await picture(deck, "incident-busy")


@SIZES
async def test_rolled_back(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck)
        await picture(deck, "incident-rolled-back")


@SIZES
async def test_trends(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "v")
        await deck.shows("^ 02:13 onset")
        await picture(deck, "incident-trends")


@SIZES
async def test_figures(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "v", "G")
        await deck.shows("MINUTES")
        await picture(deck, "incident-figures")


@SIZES
async def test_two_gateways(picture: Pictures, size: tuple[int, int]) -> None:
    second = replace(rolled_back(), timeline=(line(LATER - 905, "rollback", "rolled back from 50 %, too", "cy"),))
    link = FakeLink(rack(broken_experiment()), van(experiments=(second,)))
    tells(link, report(), listed=pages(page()))
    tells(link, report(second, host="van-7", bad=False), host="van-7")
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await look(deck, "m")
        await deck.shows("van-7: No signal")
        await picture(deck, "incident-two-gateways")


@SIZES
async def test_stale(picture: Pictures, size: tuple[int, int]) -> None:
    link = broken()
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await look(deck)
        link.pages[("rack-1", INCIDENT)] = UnreachableError("rack-1 is not connected: the SSH connection was closed.")
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("told 48s ago", "x Unreachable")
        await picture(deck, "incident-stale")


@SIZES
async def test_no_answer_yet(picture: Pictures, size: tuple[int, int]) -> None:
    link = broken()
    link.held.add(INCIDENT)
    link.gate.clear()
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await deck.press("i")
        await deck.shows("asking rack-1 what happened")
        await picture(deck, "incident-asking")


@SIZES
async def test_an_older_agent(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(rack(experiment()), van())
    info = ErrorInfo(
        code="refused",
        title="Refused",
        detail="The agent answered with HTTP 404.",
        hint="It may be older than this console and not know this: update it.",
    )
    link.pages[("rack-1", INCIDENT)] = RemoteError(info, 404)
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await deck.press("i")
        await deck.shows("older than this console")
        await picture(deck, "incident-error")


@SIZES
async def test_replay_dialog(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "p")
        await deck.dialog("replay")
        await picture(deck, "incident-replay-asked")


@SIZES
async def test_replay_under_way(picture: Pictures, size: tuple[int, int]) -> None:
    link = broken()
    link.gate.clear()
    async with running(link, size=size, clock=Clock(LATER)) as deck:
        await look(deck, "p")
        await deck.dialog("replay")
        await deck.press("y")
        deck.clock.now += 12
        await deck.shows("under way for 12 s")
        await picture(deck, "incident-replay-under-way")


@SIZES
async def test_replay_done(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "p")
        await deck.dialog("replay")
        await deck.press("y")
        await deck.shows("It is the quantization")
        deck.clock.now += 7
        await deck.hides("replay of int4_v1")
        await picture(deck, "incident-replay-done")


@SIZES
async def test_an_entry_opened(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "g", *"jjjjjj", "enter")
        await deck.shows("restart on rack-1")
        await picture(deck, "incident-opened")


@SIZES
async def test_export(
    picture: Pictures, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(broken(), size=size, clock=Clock(LATER)) as deck:
        await look(deck, "E")
        await deck.dialog("export")
        await picture(deck, "incident-export")
