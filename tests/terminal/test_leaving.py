"""However a console ends that can still do something about it, the terminal is as it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.agents import short_folder
from support.pseudo_terminal import PseudoTerminal, on_a_terminal
from support.tmux import PROMPT
from terminal.scene import console, environment

LEFT = {
    "the cursor is back": (b"\x1b[?25l", b"\x1b[?25h"),
    "the main screen is back": (b"\x1b[?1049h", b"\x1b[?1049l"),
    "the title is back": (b"\x1b[22;2t", b"\x1b[23;2t"),
    "lines wrap": (b"\x1b[?7l", b"\x1b[?7h"),
    "pastes are plain": (b"\x1b[?2004h", b"\x1b[?2004l"),
    "focus is not reported": (b"\x1b[?1004h", b"\x1b[?1004l"),
    "keys are plain": (b"\x1b[>", b"\x1b[<u"),
}
"""What the console asks of a terminal, and how it takes it back."""

WAYS: dict[str, Callable[[PseudoTerminal], None]] = {
    "q": lambda it: it.write("q"),
    "ctrl+c": lambda it: it.write("\x03"),
    "SIGTERM": lambda it: it.process.send_signal(signal.SIGTERM),
    "SIGINT": lambda it: it.process.send_signal(signal.SIGINT),
}


def fleet_of_nobody(folder: Path) -> dict[str, str]:
    """The environment of a console whose only host never answers."""
    file = folder / "fleet.toml"
    file.write_text(f'[[host]]\nname = "gone-1"\nsocket = "{folder}/nobody.sock"\n')
    return environment(folder) | {"QUANTDECK_FLEET": str(file), "TERM": "xterm-256color"}


@pytest.mark.parametrize("way", WAYS)
async def test_the_terminal_is_given_back(way: str) -> None:
    with short_folder() as folder:
        variables = fleet_of_nobody(folder)
        quantdeck = [Path(variables["PATH"].split(":")[0]) / "quantdeck", "console"]
        with on_a_terminal([str(word) for word in quantdeck], variables) as it:
            before = it.settings()
            await it.shows("not reached")
            assert it.settings() != before
            WAYS[way](it)
            assert await it.ended() == 0
            for what, (asked, taken_back) in LEFT.items():
                assert 0 <= it.sent.rfind(asked) < it.sent.rfind(taken_back), what
            assert it.settings() == before
            assert b"Traceback" not in it.sent


@pytest.mark.parametrize("way", ["q", "SIGTERM"])
async def test_in_tmux_the_shell_is_there_again(way: str) -> None:
    with short_folder() as folder:
        async with console(folder, fleet_of_nobody(folder)) as screen:
            tmux = screen.tmux
            title = tmux.asked("pane_title")
            await tmux.shows("gone-1", "not reached")
            assert [tmux.asked(name) for name in ("alternate_on", "cursor_flag", "pane_title")] == [
                "1",
                "0",
                "quantdeck",
            ]
            screen.press("q") if way == "q" else screen.process.terminate()
            shell = await tmux.shows("exit status 0", f"\n{PROMPT}")
            assert "gone-1" not in shell
            assert [tmux.asked(name) for name in ("alternate_on", "cursor_flag", "pane_title")] == ["0", "1", title]
            tmux.line("echo still $((40 + 2))")
            await tmux.shows("still 42")
