"""Pane 3 as a person sees it, at both sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.requests import Applied
from support.decks import Deck, running
from support.deployments import DEPLOY, PLAN, failed, going, intended, no_room_beside, operation, refused, swapped
from support.fake_link import FakeLink
from support.fleets import GIB, NOW, experiment, gpu_host, gpus, rack, replace, sample, van
from support.pictures import SIZES, Pictures


def fleet() -> FakeLink:
    """Three hosts; the one with GPUs has room."""
    free = sample(gpus=gpus(2, 0.3), gpu_note="")
    link = FakeLink(rack(), gpu_host(engines=(), sample=free), van())
    check = intended("treatment", kind="replace")
    link.pages[("rack-1", PLAN)] = replace(check, room=replace(check.room, where="RAM", total=32 * GIB, free=19 * GIB))
    link.pages[("gpu-3", PLAN)] = intended("treatment")
    link.pages[("van-7", PLAN)] = refused("treatment")
    for host in link.hosts:
        link.pages[(host, DEPLOY)] = Applied(revision=2, operation="op-7")
    return link


async def choose(deck: Deck, name: str = "demo-q8") -> None:
    """The profile of this name, as the engine `treatment`."""
    await deck.press("j", "d")
    await deck.shows("demo-damaged")
    await deck.press("slash", *name, "enter", "space", "escape", "n")
    await deck.press(*"treatment", "enter")
    await deck.shows(f"treatment from {name}")


@SIZES
async def test_nothing_chosen(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await deck.press("j", "d")
        await deck.shows("demo-damaged", "[x] rack-1")
        await picture(deck, "deploy-calm")


@SIZES
async def test_a_check_that_fits(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await choose(deck)
        await deck.press("tab", "j", "space", "k")
        await deck.shows("rack-1  replaces", "rack-1, gpu-3")
        await picture(deck, "deploy-fits")


@SIZES
async def test_progress_on_three_hosts(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await choose(deck)
        deck.link.say("rack-1", going(operation("load")))
        deck.link.say("gpu-3", going(operation("warm-up", kind="deploy", fraction=None, detail="2 of 3 prompts")))
        deck.link.say("van-7", going(operation("room", engine="edge", fraction=None, detail="waits", by="bob@desk")))
        await deck.press("tab", "space")
        await deck.shows("load 45 %", "warm-up", "room", "3 hosts at work")
        await picture(deck, "deploy-busy")


@SIZES
async def test_what_does_not_fit(picture: Pictures, size: tuple[int, int]) -> None:
    link = fleet()
    link.pages[("rack-1", PLAN)] = refused("treatment", kind="replace")
    async with running(link, size=size) as deck:
        await choose(deck)
        await deck.press("enter")
        await deck.shows("refused x", "rack-1 refuses it")
        await picture(deck, "deploy-refused")


@SIZES
async def test_no_room_beside_the_old_one(picture: Pictures, size: tuple[int, int]) -> None:
    link = fleet()
    link.pages[("rack-1", PLAN)] = no_room_beside()
    async with running(link, size=size) as deck:
        await choose(deck)
        await deck.shows("no room !", "s swaps")
        await picture(deck, "deploy-no-room")


@SIZES
async def test_a_failed_start(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await choose(deck)
        await deck.press("tab", "space")
        deck.link.say("rack-1", going(failed()))
        await deck.shows("failed x", "next: Lower max_model_len")
        await picture(deck, "deploy-failed")


@SIZES
async def test_a_host_that_is_lost_while_it_goes_on(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await choose(deck)
        await deck.press("tab")
        deck.link.say("rack-1", going(operation("load")))
        await deck.shows("load 45 %")
        deck.clock.now = NOW + 6
        deck.link.say("gpu-3", going(operation("warm-up", kind="deploy", fraction=None, detail="2 of 3 prompts")))
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.draw()
        await deck.shows("UNREACHABLE ?", "unreachable ?")
        await picture(deck, "deploy-stale")


@SIZES
async def test_no_profile_matches(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(fleet(), size=size) as deck:
        await deck.press("j", "d")
        await deck.shows("demo-damaged")
        await deck.press("slash", *"qwen 80b", "enter")
        await deck.shows("no profile matches 'qwen 80b'")
        await picture(deck, "deploy-empty")


@SIZES
async def test_a_file_that_cannot_be_read(
    picture: Pictures, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('name = "mine"\nmodel = "m.Q6_K.gguf"\nengine = "llama"\n')
    async with running(fleet(), size=size) as deck:
        await deck.press("j", "d")
        await deck.shows("demo-damaged")
        await deck.press("p")
        await deck.press(*"./mine.toml", "enter")
        await deck.shows("mine.toml  cannot be read", "./mine.toml:3:1")
        await picture(deck, "deploy-error")


@SIZES
async def test_the_confirmation(picture: Pictures, size: tuple[int, int]) -> None:
    link = fleet()
    link.pages[("rack-1", PLAN)] = swapped()
    async with running(link, size=size) as deck:
        await choose(deck)
        await deck.press("s", "tab", "j", "space")
        await deck.shows("rack-1, gpu-3")
        deck.link.say("rack-1", LinkChange(state="connected", role="operator"))
        await deck.shows("gpu-3  fits")
        await deck.press("enter")
        await deck.dialog("form")
        await deck.shows("deploy demo-q8 as treatment on 2 hosts", "y deploy")
        await picture(deck, "dialog-deploy")


@SIZES
async def test_the_confirmation_of_what_is_forced(picture: Pictures, size: tuple[int, int]) -> None:
    link = fleet()
    link.pages[("rack-1", PLAN)] = refused("treatment", kind="replace")
    async with running(link, size=size) as deck:
        await choose(deck)
        await deck.shows("refused x")
        await deck.press("F", "enter")
        await deck.dialog("form")
        await deck.press(*"treatm", "enter")
        await deck.shows("That is not its name.")
        await picture(deck, "dialog-deploy-forced")


@SIZES
async def test_the_question_before_a_cancel(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(experiment()), van()), size=size) as deck:
        deck.link.say("rack-1", going(operation()))
        await deck.press("d")
        await deck.shows("load 45 %")
        await deck.press("x")
        await deck.dialog("form")
        await deck.shows("y end and undo it")
        await picture(deck, "dialog-cancel-operation")
