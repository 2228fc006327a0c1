"""The agent's own log, in memory: where it goes on disk (journal, file) is the service manager's business."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from quantdeck_agent.logs.reader import Lines
from quantdeck_core.protocol.logs import LogLine

AGENT = "agent"
KEPT = 2_000
_FORMAT = "%(name)s %(levelname)s %(message)s"


class OwnLog(logging.Handler):
    """Keeps the newest lines; `logging` itself holds its lock while one is added."""

    def __init__(self, kept: int = KEPT) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))
        self._kept: deque[tuple[float, str]] = deque(maxlen=kept)
        self._added = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Add one record; a traceback is several lines."""
        for line in self.format(record).splitlines():
            self._kept.append((record.created, line))
            self._added += 1

    @property
    def written_at(self) -> float | None:
        """UNIX time of the newest line."""
        return self._kept[-1][0] if self._kept else None

    def since(self, number: int) -> tuple[list[tuple[float, str]], int]:
        """Lines after the first `number` ever added, as far as they are kept, and how many there ever were."""
        self.acquire()
        try:
            missing = min(len(self._kept), self._added - number)
            return list(self._kept)[len(self._kept) - missing :] if missing > 0 else [], self._added
        finally:
            self.release()


class OwnReader:
    """One reader of the agent's log."""

    def __init__(self, own: OwnLog, lines: int) -> None:
        self._own, self._lines = own, Lines(AGENT)
        kept, self._seen = own.since(0)
        self._tail = kept[len(kept) - min(lines, len(kept)) :]

    def tail(self) -> Iterator[LogLine]:
        """The last lines, each with the time when it was written."""
        yield from self._shown(self._tail, old=True)
        self._tail = []

    def end(self) -> Iterator[LogLine]:
        """Nothing: its lines are whole."""
        return iter(())

    def more(self, t: float) -> Iterator[LogLine]:
        """What was written since.

        Args:
            t: UNIX time, now.
        """
        kept, added = self._own.since(self._seen)
        lost = added - self._seen - len(kept)
        self._seen = added
        if lost:
            yield LogLine(source=AGENT, t=t, lost=lost)
        yield from self._shown(kept, old=False)

    def _shown(self, kept: list[tuple[float, str]], *, old: bool) -> Iterator[LogLine]:
        for t, line in kept:
            yield from self._lines.shown([line], t, old=old)
