"""The console's deploy pane on a real agent: over its Unix socket, with real llama.cpp."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from quantdeck_console.app import DeckApp
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_console.terminal import Display
from support.agents import AgentProcess, agent
from support.decks import Deck
from support.played_engine import PlayedEngine
from support.waiting import eventually


@asynccontextmanager
async def console(one: AgentProcess, role: str = "operator") -> AsyncIterator[Deck]:
    """A console that is connected to an agent."""
    link = SshFleet(Fleet(host=(Host(name="test", socket=str(one.socket(role))),)))
    app = DeckApp(link, by="ada", display=Display(animations=False))
    async with app.run_test(size=(120, 36)) as pilot:
        deck = Deck(app, pilot, cast("Any", link), cast("Any", time.time))
        await deck.shows("OK", "TTFT95")
        yield deck


async def choose(deck: Deck, profile: str) -> None:
    await deck.press("slash", *profile, "enter", "space", "escape")
    await deck.shows(f"deploy {profile} on ")


async def confirm(deck: Deck) -> None:
    await deck.press("enter")
    await deck.dialog("form")
    await deck.press("y")


async def until(deck: Deck, words: str) -> None:
    await eventually(lambda: words in deck.text, 40, f"{words} on\n{deck.text}")


async def test_a_profile_becomes_an_engine_and_another_one_takes_its_place(demo_models: Path) -> None:
    async with agent(demo_models) as one, console(one) as deck:
        client = one.client()
        await deck.press("d")
        await deck.shows("demo-damaged", "[x] test")
        await choose(deck, "demo-q8")
        await until(deck, "test  fits")
        await deck.shows("needs weights", "KV cache", "GiB free in RAM now", "starts demo-q8", "demo-q8_0.gguf")
        assert (await client.status()).engines == ()
        await confirm(deck)
        await until(deck, "done after")
        await deck.shows("op-1 deploys demo-q8  by ada")
        [engine] = (await client.status()).engines
        assert (engine.name, engine.state, engine.generation) == ("demo-q8", "ready", 1)

        await choose(deck, "demo-f16")
        await deck.press("n")
        await deck.press(*"demo-q8", "enter", "tab", "space")
        await until(deck, "test  replaces")
        await deck.shows("replaces demo-q8.1 (demo-q8); it serves until the new one is ready", "demo-f16.gguf")
        await confirm(deck)
        await until(deck, "op-2 replaces demo-q8  by ada")
        await until(deck, "done after")
        [engine] = (await client.status()).engines
        assert (engine.profile, engine.generation) == ("demo-f16", 2)
        await client.close()


async def test_what_goes_on_is_followed_and_taken_back(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(waits=True)
    file = tmp_path / "slow.toml"
    file.write_text(
        f'name = "slow"\nmodel = "demo-q8_0.gguf"\nengine = "llama-server"\nexecutable = "{played.program}"\n'
    )
    async with agent(demo_models) as one, console(one) as deck, console(one, "viewer") as watching:
        await deck.press("d", "p")
        await deck.press(*str(file), "enter")
        await until(deck, "test  fits")
        await confirm(deck)
        await until(deck, "op-1 deploys slow  by ada")
        await until(deck, "> load")
        await watching.press("d", "o")
        await watching.shows("op-1 deploys slow  by ada", "> load", "read-only")
        await deck.press("x")
        await deck.dialog("form")
        await deck.press("y")
        await until(deck, "op-1 cancelled")
        await deck.press("enter")
        await until(deck, "cancelled after")
        await until(watching, "cancelled after")
        client = one.client()
        assert (await client.status()).engines == ()
        await client.close()
