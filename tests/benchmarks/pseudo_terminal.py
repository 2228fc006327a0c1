"""A program in a pseudo-terminal of a size: keys go in, what it writes is counted and kept as cells."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

_TOKEN = re.compile(
    r"\x1b\[(?P<params>[0-9;:<=>?]*)[ -/]*(?P<final>[@-~])"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[P_^][^\x1b]*\x1b\\"  # DCS, APC, PM
    r"|\x1b[ -/]*[0-~]"  # other escapes
    r"|(?P<control>[\x00-\x1a\x1c-\x1f])"
    r"|(?P<text>[^\x00-\x1f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:<=>?]*[ -/]*|\][^\x07\x1b]*\x1b?|[P_^][^\x1b]*\x1b?|[ -/]*)?\Z")


class Cells:
    """As much of a terminal as says what stands where: cursor moves, text of single cells, and erasing."""

    def __init__(self, columns: int, rows: int) -> None:
        self._size = (columns, rows)
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """What the program wrote."""
        text = self._rest + self._decode(data)
        unfinished = _UNFINISHED.search(text)
        text, self._rest = (text[: unfinished.start()], unfinished.group()) if unfinished else (text, "")
        for token in _TOKEN.finditer(text):
            if token["text"]:
                self._write(token["text"])
            elif token["final"]:
                self._control(token["final"], token["params"])
            elif token["control"] == "\r":
                self._x = 0
            elif token["control"] == "\n":
                self._y = min(self._y + 1, self._size[1] - 1)

    @property
    def lines(self) -> list[str]:
        """Row by row."""
        return ["".join(row) for row in self._cells]

    def _write(self, text: str) -> None:
        row = self._cells[self._y]
        for char in text[: self._size[0] - self._x]:
            row[self._x] = char
            self._x += 1

    def _control(self, final: str, params: str) -> None:
        columns, rows = self._size
        if final in "Hf":
            y, _, x = params.partition(";")
            self._y, self._x = min(int(y or 1), rows) - 1, min(int(x or 1), columns) - 1
        elif final == "J":
            self._cells = [[" "] * columns for _ in range(rows)]


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
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "TEXTUAL", "NO_COLOR"))}
        kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"} | dict(environ or {})
        kept.pop("COLUMNS", None), kept.pop("LINES", None)
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


def report(rows: Iterator[tuple[str, float, float, str]]) -> int:
    """Print each figure beside its limit; 1 where one is exceeded."""
    failed = 0
    for name, value, limit, unit in rows:
        print(f"{name:<44} {value:>9.1f} {unit:<6} limit {limit:>8.1f} {unit:<6} ratio {value / limit:.2f}", flush=True)
        failed |= value > limit
    return failed
