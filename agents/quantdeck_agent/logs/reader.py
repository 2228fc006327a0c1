"""Reads one log file from its last lines on, wherever it is rotated meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from quantdeck_agent.logs.files import LogFiles, copies
from quantdeck_agent.logs.lines import LineCutter
from quantdeck_core.engines.log_lines import shown
from quantdeck_core.engines.prompt_lines import PromptFilter, without_input
from quantdeck_core.protocol.logs import LogLine
from quantdeck_core.text import clean

MAX_TAIL_BYTES = 4 << 20
MAX_BEHIND_BYTES = 1 << 20
"""A reader that is further behind than that loses what it missed."""
_CHUNK = 256 << 10


class Lines:
    """Raw lines into what may be shown, for one source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._allowed = PromptFilter(continues=source.startswith("engine:"))
        self._told = 0

    def gap(self) -> None:
        """Lines are missing before those that come."""
        self._allowed.gap()

    def shown(self, raw: list[str], t: float | None, *, old: bool = False) -> Iterator[LogLine]:
        """Lines to show; what was withheld is told with the next one, or at the end."""
        for line in raw:
            if self._allowed.keep(clean(line, one_line=True)):
                yield LogLine(
                    source=self._source, t=t, old=old, text=without_input(shown(line)), withheld=self._withheld()
                )
        withheld = self._withheld()
        if withheld:
            yield LogLine(source=self._source, t=t, old=old, withheld=withheld)

    def _withheld(self) -> int:
        """Lines that were withheld and not told of yet."""
        told, self._told = self._told, self._allowed.dropped
        return self._told - told


class LogReader:
    """One reader of one file. Positions count from the file's beginning when this agent started: earlier ones, in what
    was rotated away before, are negative."""

    def __init__(self, files: LogFiles, source: str, lines: int) -> None:
        """Stand before the last lines.

        Raises:
            LogUnknownError: there is no such log.
        """
        self._files, self._source, self._file = files, source, files.file_of(source)
        self._lines, self._cutter = Lines(source), LineCutter()
        with files.lock:
            end = files.taken(self._file) + self._file.stat().st_size
            self._at, self._count = end, lines
            self._tail = self._last(lines, end) if lines else []

    def _last(self, count: int, end: int) -> list[str]:
        """The last lines and some before them, from the copies too. What has no newline yet begins the next line."""
        data, start = b"", end
        while data.count(b"\n") <= count and len(data) < MAX_TAIL_BYTES:
            chunk = self._read(start - _CHUNK, start)
            data, start = chunk + data, start - len(chunk)
            if len(chunk) < _CHUNK:
                return self._cutter.feed(data)
        # Of the first line the beginning is missing, and with it what it is about.
        self._lines.gap()
        return self._cutter.feed(data.partition(b"\n")[2])

    def tail(self) -> Iterator[LogLine]:
        """The last lines as they were. Those before them are looked at too: a withheld message may go on for long."""
        raw, self._tail = self._tail, []
        shown = list(self._lines.shown(raw, None, old=True))
        return iter(shown[len(shown) - min(self._count, len(shown)) :])

    def end(self) -> Iterator[LogLine]:
        """A last line that has no newline, for who does not follow."""
        return self._lines.shown(self._cutter.end(), None, old=True)

    def more(self, t: float) -> Iterator[LogLine]:
        """What was written since, at most a megabyte.

        Args:
            t: UNIX time, now.
        """
        with self._files.lock:
            data, lost, counted = self._read_on()
        if lost or not counted:
            self._cutter = LineCutter()
            self._lines.gap()
            yield LogLine(source=self._source, t=t, lost=lost, lost_unknown=not counted)
        yield from self._lines.shown(self._cutter.feed(data), t)

    def _read_on(self) -> tuple[bytes, int, bool]:
        """New bytes, lines lost before them, and whether those could be counted. Under the lock."""
        try:
            end = self._files.taken(self._file) + self._file.stat().st_size
        except OSError:  # removed: the log of an engine that is gone
            return b"", 0, True
        at, self._at = self._at, end
        if end < at:  # somebody else emptied it
            return self._read(self._files.taken(self._file), end), 0, False
        if end - at <= MAX_BEHIND_BYTES:
            data = self._read(at, end)
            return data, 0, len(data) == end - at
        lost, start = 1, end - MAX_BEHIND_BYTES
        while at < start:
            skipped = self._read(at, min(start, at + _CHUNK))
            if not skipped:
                return self._read(start, end).partition(b"\n")[2], 0, False
            lost, at = lost + skipped.count(b"\n"), at + len(skipped)
        return self._read(start, end).partition(b"\n")[2], lost, True

    def _read(self, start: int, end: int) -> bytes:
        """Bytes of a range, out of the file and its copies: those that are there, up to its end."""
        data, upper, floor = b"", self._files.taken(self._file), self._files.floor(self._file)
        pieces = [(self._file, upper, upper + self._file.stat().st_size)]
        for copy in copies(self._file):
            lower = upper - copy.stat().st_size
            if upper <= start or lower < floor:
                break
            pieces.append((copy, lower, upper))
            upper = lower
        for file, lower, upper in pieces:
            first, last = max(start, lower), min(end, upper)
            if first < last:
                data = _read(file, first - lower, last - first) + data
        return data


def _read(file: Path, start: int, size: int) -> bytes:
    with file.open("rb") as opened:
        return os.pread(opened.fileno(), size, start)
