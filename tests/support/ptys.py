"""A program in a pseudo-terminal of its own, and every byte that it writes there."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.terminal_cells import Cells
from support.waiting import eventually

PLAIN = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
_CONSOLE = "import sys; from quantdeck.main import main; sys.argv[0] = 'quantdeck'; sys.exit(main())"


def console(*arguments: str | Path) -> list[str]:
    """The command line of `quantdeck console`."""
    return [sys.executable, "-c", _CONSOLE, "console", *map(str, arguments)]


def environment(changes: Mapping[str, str] = {}) -> dict[str, str]:
    """Of a terminal that can do everything, and of a user who has set nothing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "TEXTUAL", "QUANTDECK_"))}
    for key in ("NO_COLOR", "LANG", "TZ", "PYTHONUNBUFFERED"):
        kept.pop(key, None)
    paths = os.pathsep.join(one for one in (*sys.path, str(Path(__file__).parents[1])) if one)
    return kept | PLAIN | {"PYTHONPATH": paths} | dict(changes)


class Pty:
    """A running program.

    Attributes:
        output: all that it wrote.
        cells: what its terminal shows.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], columns: int, rows: int) -> None:
        self.output = b""
        self.cells = Cells(columns, rows)
        self._fd, self.inside = os.openpty()
        self.resize(columns, rows, tell=False)
        self.process = subprocess.Popen(
            argv, stdin=self.inside, stdout=self.inside, stderr=self.inside, env=environ, start_new_session=True
        )
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # nobody has it open any more
            asyncio.get_running_loop().remove_reader(self._fd)
            return
        self.output += data
        self.cells.feed(data)

    @property
    def text(self) -> str:
        """What its terminal shows, row by row."""
        return "\n".join(self.cells.lines)

    @property
    def modes(self) -> list[Any]:
        """Of the terminal, as `termios` has them."""
        return termios.tcgetattr(self.inside)

    def press(self, keys: str) -> None:
        """As if typed."""
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, rows: int, *, tell: bool = True) -> None:
        """Another size of the window."""
        self.cells = Cells(columns, rows)
        fcntl.ioctl(self.inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    async def shows(self, *words: str, seconds: float = 20.0) -> None:
        """Wait until all of it is there."""

        def missing() -> list[str]:
            return [word for word in words if word not in self.text]

        try:
            await eventually(lambda: not missing(), seconds)
        except AssertionError:
            raise AssertionError(f"missing {missing()} on:\n{self.text}") from None

    async def ends(self, seconds: float = 10.0) -> int:
        """Its exit status, once it has ended."""
        await eventually(lambda: self.process.poll() is not None, seconds, "it to end")
        await asyncio.sleep(0)
        return self.process.returncode

    def stopped(self) -> bool:
        """Whether it was stopped by a signal."""
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def read_no_more(self) -> None:
        """What it writes from now on is read by nobody."""
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._fd)

    def read_on(self) -> None:
        """Somebody does again."""
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def hang_up(self) -> None:
        """The terminal is gone, as where a connection breaks."""
        self.read_no_more()
        for descriptor in (self._fd, self.inside):
            os.close(descriptor)
        self._fd = self.inside = -1

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._fd >= 0:
            self.hang_up()


@asynccontextmanager
async def pty(
    argv: Sequence[str],
    environ: Mapping[str, str] = {},
    *,
    columns: int = 80,
    rows: int = 24,
) -> AsyncIterator[Pty]:
    """A program in a pseudo-terminal; it has ended afterwards.

    Args:
        environ: what is other than in `environment`.
    """
    one = Pty(argv, environment(environ), columns, rows)
    try:
        yield one
    finally:
        one.close()
