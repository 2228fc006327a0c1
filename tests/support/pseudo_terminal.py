"""A program on a terminal of its own, and every byte that it sends there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from support.waiting import eventually


class PseudoTerminal:
    """The other side of the program's terminal.

    Attributes:
        sent: all that the program has sent so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], parent: int, child: int) -> None:
        self.process = process
        self.sent = b""
        self._parent, self._child = parent, child

    def write(self, text: str) -> None:
        """Press keys."""
        os.write(self._parent, text.encode())

    def read(self) -> bytes:
        """Everything up to now. A terminal that nobody reads would stop the program."""
        with contextlib.suppress(BlockingIOError, OSError):
            while more := os.read(self._parent, 1 << 16):
                self.sent += more
        return self.sent

    def settings(self) -> list[Any]:
        """Of the line: echo, signals, and so on."""
        return termios.tcgetattr(self._child)

    async def shows(self, text: str) -> None:
        """Wait until it has sent this."""
        await eventually(lambda: text.encode() in self.read(), what=f"{text!r} in {self.sent!r}")

    async def ended(self) -> int:
        """Wait for its end; its exit status."""

        def over() -> bool:
            self.read()
            return self.process.poll() is not None

        await eventually(over, what="its end")
        self.read()
        return self.process.returncode


@contextlib.contextmanager
def on_a_terminal(
    argv: Sequence[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24
) -> Iterator[PseudoTerminal]:
    """Run a program on a terminal of that size; it is gone afterwards."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.set_blocking(parent, False)
    process = subprocess.Popen(
        argv, stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that closing the terminal is a hangup, as in life
    )  # fmt: skip
    try:
        yield PseudoTerminal(process, parent, child)
    finally:
        process.kill()
        process.wait()
        os.close(child)
        os.close(parent)
