"""A terminal as people have it: a shell in tmux, typed into and read as text."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.waiting import eventually

TMUX = shutil.which("tmux")
WHY_NOT = "tmux is not installed: apt-get install tmux"

PROMPT = "at-the-shell$"
"""Of the shell, so that a test sees when a program has given the terminal back."""


class Tmux:
    """One pane, under a tmux server that reads nobody's configuration."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

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
        return self.command("capture-pane", "-p")

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

    async def shows(self, *words: str, but: str = "", seconds: float = 20.0) -> str:
        """The screen, once all of it is there; what must not be there in any that is looked at meanwhile is `but`."""
        seen = ""

        def found() -> bool:
            nonlocal seen
            seen = self.text
            assert not but or but not in seen, f"{but!r} is on:\n{seen}"
            return all(word in seen for word in words)

        try:
            await eventually(found, seconds)
        except AssertionError:
            raise AssertionError(
                f"not within {seconds} s: {[word for word in words if word not in seen]}\n{seen}"
            ) from None
        return seen

    async def hides(self, word: str, seconds: float = 20.0) -> str:
        """The screen, once something is gone."""
        await eventually(lambda: word not in self.text, seconds, f"{word!r} to go")
        return self.text


@contextlib.contextmanager
def terminal(folder: Path, environment: Mapping[str, str], columns: int = 80, rows: int = 24) -> Iterator[Tmux]:
    """A shell in a pane of that size; it and what it runs are gone afterwards.

    Args:
        folder: with a path short enough for a Unix socket.
    """
    tmux = Tmux(folder / "tmux.sock")
    size = ("-x", str(columns), "-y", str(rows))
    # Two words: one alone would be run by the user's shell, which may set variables of its own.
    tmux.command("new-session", "-d", *size, "sh", "-i", environment={**environment, "PS1": f"{PROMPT} "})
    try:
        yield tmux
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # it ends with its last shell
            tmux.command("kill-server")
