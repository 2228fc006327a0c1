"""A terminal as people have it: a shell in tmux, typed into and read as text."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import psutil

from support.pseudo_terminal import PseudoTerminal, on_a_terminal
from support.waiting import eventually

TMUX = shutil.which("tmux")
WHY_NOT = "tmux is not installed: apt-get install tmux"

PROMPT = "at-the-shell$"
"""Of the shell, so that a test sees when a program has given the terminal back."""
LOOK_S = 0.05

_COLOURS = re.compile(r"\x1b\[[\d;:]*m")


class Tmux:
    """One pane, under a tmux server that reads nobody's configuration.

    Attributes:
        styled: what is on the screen, its colours as escape codes.
        seen: each screen since the start, as text, looked at 20 times a second, without repeats.
    """

    def __init__(self, socket: Path) -> None:
        self.styled = ""
        self.seen: list[str] = []
        self._socket = socket
        self._begun = self._ended = 0
        self._looking: asyncio.Task[None] | None = None

    def command(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """Let tmux do something; what it printed.

        Args:
            environment: of the server, and of what runs in it, where this starts one.
        """
        assert TMUX
        argv = [TMUX, "-S", str(self._socket), "-f", "/dev/null", *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=15, check=True, env=environment)
        return done.stdout

    def asked(self, variable: str) -> str:
        """One of tmux's variables, e.g. `cursor_flag`."""
        return self.command("display-message", "-p", f"#{{{variable}}}").removesuffix("\n")

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self.seen[-1] if self.seen else ""

    def keys(self, *names: str) -> None:
        """Press keys, as tmux names them, at once after each other."""
        self.command("send-keys", *names)

    def line(self, text: str) -> None:
        """Type a line."""
        self.command("send-keys", "-l", text)
        self.keys("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Another size of the window."""
        self.command("resize-window", "-x", str(columns), "-y", str(rows))

    @contextlib.asynccontextmanager
    async def attached(self, columns: int = 80, rows: int = 24) -> AsyncIterator[PseudoTerminal]:
        """Somebody looks at it, from a terminal of that size, and detaches at the end.

        The pane is as large as that terminal from then on, less the row in which tmux says where it is.
        """
        assert TMUX
        self.command("set-option", "-w", "window-size", "latest")
        argv = [TMUX, "-S", str(self._socket), "attach-session"]
        with on_a_terminal(argv, {**os.environ, "TERM": "xterm-256color"}, columns, rows) as client:
            yield client
            self.command("detach-client")
            assert await client.ended() == 0

    @contextlib.asynccontextmanager
    async def looked_at(self) -> AsyncIterator[None]:
        """In this block somebody looks at the screen."""
        self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while True:
            self._begun += 1
            # In a thread: links and users of the same test go on meanwhile.
            self.styled = await asyncio.to_thread(self.command, "capture-pane", "-p", "-e")
            text = _COLOURS.sub("", self.styled)
            if text != self.text:
                self.seen.append(text)
            self._ended = self._begun
            await asyncio.sleep(LOOK_S)

    async def until(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> str:
        """The screen once something holds for it; only what is looked at from now on counts."""
        next_look = self._begun + 1

        def holds() -> object:
            if self._looking and self._looking.done():
                self._looking.result()
            return self._ended >= next_look and condition()

        try:
            await eventually(holds, seconds)
        except AssertionError:
            raise AssertionError(f"not within {seconds} s: {what}, on\n{self.text}") from None
        return self.text

    async def shows(self, *words: str, seconds: float = 20.0) -> str:
        """The screen once all of it is there."""
        return await self.until(lambda: all(word in self.text for word in words), " | ".join(words), seconds)

    async def hides(self, word: str, seconds: float = 20.0) -> str:
        """The screen once something is gone."""
        return await self.until(lambda: word not in self.text, f"{word} to go", seconds)


@contextlib.asynccontextmanager
async def terminal(
    folder: Path, environment: Mapping[str, str], columns: int = 80, rows: int = 24
) -> AsyncIterator[Tmux]:
    """A shell in a pane of that size; it and what it runs are gone afterwards.

    Args:
        folder: with a path short enough for a Unix socket.
    """
    tmux = Tmux(folder / "tmux.sock")
    size = ("-x", str(columns), "-y", str(rows))
    # Two words: one alone would be run by the user's shell, which may set variables of its own.
    tmux.command("new-session", "-d", *size, "sh", "-i", environment={**environment, "PS1": f"{PROMPT} "})
    try:
        async with tmux.looked_at():
            await tmux.shows(PROMPT)
            yield tmux
    finally:
        server = int(tmux.asked("pid"))
        tmux.command("kill-server")
        # Its socket is there until it has ended: who starts another one meanwhile is told that this one has exited.
        await eventually(lambda: not psutil.pid_exists(server), what="tmux to end")
