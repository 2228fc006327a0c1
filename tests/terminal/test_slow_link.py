"""A link of 200 ms, and one on which nothing passes for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.ssh import way_to
from terminal.scene import HALF_BP, console, scene

pytestmark = pytest.mark.timeout(120)

DONE = "done: everyone is on the control, on 2 gateways"
ONE_WAY_S = 0.1


async def test_the_journey_over_200_ms_rolls_back_once(demo_models: Path) -> None:
    async with (
        scene(demo_models) as it,
        way_to(it.port, ONE_WAY_S) as way,
        console(it.folder, it.environment(way.port)) as screen,
    ):
        await screen.tmux.shows("2 OK")
        await screen.ask("rack-1 ", "rack-2 ", "on 2 gateways")
        screen.press("y", "y", "y")
        await screen.tmux.shows(DONE)
        assert await it.weights() == {"rack-1": 0, "rack-2": 0}
        assert await it.rollbacks() == {"rack-1": 1, "rack-2": 1}
        await screen.close("Enter")
        screen.press("i")
        await screen.tmux.shows("e on rack-1")


async def test_keys_are_answered_while_nothing_passes_and_one_round_trip_is_enough(demo_models: Path) -> None:
    async with (
        scene(demo_models) as it,
        way_to(it.port) as way,
        console(it.folder, it.environment(way.port)) as screen,
    ):
        tmux = screen.tmux
        await tmux.shows("2 OK")
        await screen.ask()
        await screen.reached("rack-1")
        await screen.reached("rack-2")
        way.there.hold()
        way.back.hold()
        screen.press("y", "y")
        await tmux.shows("not done: applied on 0 of 2 gateways", "pending")
        await screen.close()
        screen.press("4")
        await tmux.shows("! rollback of e: pending on rack-1, rack-2; trying again", "CONTROL")
        screen.press("?")
        await tmux.shows("Everywhere", "all hosts, worst first")
        screen.press("q")
        await tmux.hides("Everywhere")
        screen.press("R")
        await tmux.shows("not done: applied on 0 of 2 gateways")
        assert await it.weights() == {"rack-1": HALF_BP, "rack-2": HALF_BP}
        # What was sent up to now goes there, and answers come back; nothing else goes there.
        way.there.release()
        way.back.free()
        await tmux.shows(DONE)
        assert await it.weights() == {"rack-1": 0, "rack-2": 0}
        assert await it.rollbacks() == {"rack-1": 1, "rack-2": 1}
