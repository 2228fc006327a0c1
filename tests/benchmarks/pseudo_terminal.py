"""A program in a pseudo-terminal of a size: keys go in, what it writes is counted and kept as cells."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.terminal_cells import Cells

_NOT_PASSED_ON = ("SSH_", "TEXTUAL", "NO_COLOR", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")
"""What would make the console draw, measure or compile otherwise than for its users."""


class PseudoTerminal:
    """A running program; use it as a context manager.

    Attributes:
        cells: what its terminal shows.
        count: bytes that it wrote so far.
    """

    def __init__(
        self, argv: Sequence[str], *, columns: int = 80, rows: int = 24, environ: Mapping[str, str] | None = None
    ) -> None:
        self.cells = Cells(columns, rows)
        self.count = 0
        self.started_at = time.monotonic()
        self._fd, inside = os.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_PASSED_ON)}
        kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"} | dict(environ or {})
        self.process = subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, env=kept, start_new_session=True
        )
        os.close(inside)

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                os.write(self._fd, b"q")
            self.wait_for_end(5.0)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)

    def wait_for_end(self, seconds: float) -> None:
        """Let it end by itself."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            self.read(0.05)

    @property
    def waited_ms(self) -> float:
        """How long its main thread was ready to run in all, and waited for a core that others had."""
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e6
        except (OSError, IndexError):
            return 0.0

    def press(self, keys: str) -> None:
        """As if typed."""
        os.write(self._fd, keys.encode())

    def read(self, seconds: float) -> bytes:
        """What it writes next, at most that long waited for; nothing where it wrote nothing."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # it has ended
            return b""
        self.count += len(data)
        self.cells.feed(data)
        return data

    def read_for(self, seconds: float) -> int:
        """Read for a while; the bytes that came."""
        before, until = self.count, time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)
        return self.count - before

    def wait_until(self, shown: Callable[[list[str]], bool], seconds: float) -> float:
        """Read until something is shown; when that was, on the monotonic clock.

        Raises:
            AssertionError: it was not, in time.
        """
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if shown(self.cells.lines):
                return now
            if now > until or self.process.poll() is not None:
                raise AssertionError("not shown in time:\n" + "\n".join(self.cells.lines))
            self.read(min(0.5, until - now))


def has(*words: str) -> Callable[[list[str]], bool]:
    """Whether all of these are shown somewhere."""
    return lambda lines: all(any(word in line for line in lines) for word in words)


def report(rows: Iterable[tuple[str, float, float, str]]) -> int:
    """Print each figure beside its limit; 1 where one is exceeded."""
    failed = 0
    for name, value, limit, unit in rows:
        print(f"{name:<44} {value:>9.1f} {unit:<6} limit {limit:>8.1f} {unit:<6} ratio {value / limit:.2f}", flush=True)
        failed |= value > limit
    return failed
