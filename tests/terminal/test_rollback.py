"""A rollback from a real terminal over a real link, while an agent hangs, and while consoles end."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.waiting import eventually
from terminal.scene import HALF_BP, console, scene

pytestmark = pytest.mark.timeout(120)

DONE = "done: everyone is on the control"


async def test_it_is_pending_while_an_agent_hangs_and_applied_when_it_is_back(demo_models: Path) -> None:
    async with scene(demo_models) as it, console(it.folder, it.environment()) as screen:
        tmux = screen.tmux
        await tmux.shows("2 OK")
        assert await it.weights() == {"rack-1": HALF_BP, "rack-2": HALF_BP}
        with it.hosts["rack-2"].hung():
            await screen.ask("rack-1 ", "rack-2 ", "on 2 gateways", "50/50 -> 100/0")
            screen.press("y", "y")
            await tmux.shows("not done: applied on 1 of 2 gateways", "pending")
            assert (await it.weights())["rack-1"] == 0
            await tmux.shows("unreachable")
            # Until the link to it is given up, and it is known that nothing is known.
            await tmux.shows("1 STALE ?", "is not connected")
            assert "! rollback of e: unreachable on rack-2; trying again" in await screen.close()
            screen.press("4")
            await tmux.shows("! rollback of e: unreachable on rack-2; trying again", "CONTROL")
            screen.press("R")
            await tmux.shows("not done: applied on 1 of 2 gateways")
            assert len(tmux.seen) > 10
            assert not [text for text in tmux.seen if DONE in text]
            assert (await it.weights())["rack-2"] == HALF_BP
        await tmux.shows(f"{DONE}, on 2 gateways", seconds=40)
        assert await it.weights() == {"rack-1": 0, "rack-2": 0}
        assert await it.rollbacks() == {"rack-1": 1, "rack-2": 1}
        await eventually(lambda: it.pending == (), what="nothing is pending any more")
        assert "trying again" not in await screen.close("Enter")
        for users in it.users.values():
            treated = users.by_variant["treatment"]
            await users.more(20)
            assert users.by_variant["treatment"] - treated <= 4  # those that were under way
            assert users.failures == []
        screen.press("q")
        await tmux.shows("exit status 0")


async def test_a_console_that_is_killed_meanwhile_loses_nothing(demo_models: Path) -> None:
    async with scene(demo_models) as it:
        hangs = it.hosts["rack-2"]
        async with console(it.folder, it.environment()) as screen:
            await screen.tmux.shows("2 OK")
            with hangs.hung():
                await screen.ask()
                screen.press("y")
                await screen.tmux.shows("pending")
                screen.process.kill()
                await screen.tmux.shows("exit status 137")
                # What was sent is lost as well: nobody but the next console can do it.
                hangs.agent.kill()
        [wish] = it.pending
        assert (wish.experiment, wish.host) == ("e", "rack-2")
        async with console(it.folder, it.environment(), 120, 36) as screen:
            await screen.tmux.shows(f"! rollback of e: pending on rack-2; kept until applied ({wish.by} ")
            await hangs.agent.start()
            await screen.tmux.shows("e on rack-2: everyone is on the control")
            await screen.tmux.hides("kept until applied")
            assert await it.weights() == {"rack-1": 0, "rack-2": 0}
            assert await it.rollbacks() == {"rack-1": 1, "rack-2": 1}
            await eventually(lambda: it.pending == (), what="nothing is pending any more")
            state = await hangs.state()
            assert (state.state.by, state.state.reason) == (wish.by, wish.reason)


async def test_a_console_that_is_closed_meanwhile_says_what_it_leaves(demo_models: Path) -> None:
    async with scene(demo_models) as it, console(it.folder, it.environment()) as screen:
        tmux = screen.tmux
        await tmux.shows("2 OK")
        with it.hosts["rack-2"].hung():
            await screen.ask()
            screen.press("y")
            await tmux.shows("pending")
            await screen.close()
            screen.press("q")
            left = await tmux.shows("exit status 4")
            assert (
                "PENDING: the rollback of e on rack-2; it is kept here: `quantdeck guard` or the\nnext console" in left
            )
            assert [wish.host for wish in it.pending] == ["rack-2"]
        tmux.line("quantdeck guard --once; echo guard $?")
        await tmux.shows("guard 0")
        assert await it.weights() == {"rack-1": 0, "rack-2": 0}
        assert it.pending == ()


async def test_sizes_and_clients_come_and_go_while_the_dialog_is_open(demo_models: Path) -> None:
    async with scene(demo_models) as it, console(it.folder, it.environment()) as screen:
        tmux = screen.tmux
        await tmux.shows("2 OK")
        await screen.ask()
        tmux.resize(60, 20)
        small = await tmux.shows("the terminal is too small", "it is 60x20; enlarge it to 80x23")
        assert "roll back" not in small
        # However late they are read: they were pressed while nobody could see what they are about.
        screen.press("y", "y")
        tmux.resize(120, 36)
        await tmux.shows("y roll back   n Esc cancel", "6 Bench")
        tmux.resize(80, 24)
        await tmux.shows("y roll back   n Esc cancel", "1-6 panes")
        await screen.armed()
        assert await it.weights() == {"rack-1": HALF_BP, "rack-2": HALF_BP}
        async with tmux.attached() as first:
            await first.shows("roll back e")
            assert tmux.asked("pane_height") == "23"
        async with tmux.attached() as second:
            await second.shows("roll back e")
            second.write("y")
            await tmux.shows(f"{DONE}, on 2 gateways")
        assert await it.rollbacks() == {"rack-1": 1, "rack-2": 1}
        await screen.close("Enter")
        screen.press("q")
        await tmux.shows("exit status 0")
