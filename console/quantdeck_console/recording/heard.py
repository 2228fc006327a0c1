"""What was asked while it was recorded: where each answer stands in the file, and the ends of the logs."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from quantdeck_console.recording.records import Answered, LogHeard
from quantdeck_console.recording.tape import Position
from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.logs import LogLine

HOLDS_S = 75.0
"""Panes ask again every few seconds, and every half a minute for the past: what is older was not asked for again."""
TAIL_LINES = 1_000
_MOMENT = re.compile(r"\bsince=\d+")
_MOST_ANSWERS = 10_000
"""Of one question; beyond that, the oldest are forgotten."""


class Question(NamedTuple):
    """What was asked of a host: method and path, and what tells questions of one path apart."""

    host: str
    asked: str
    about: str

    @classmethod
    def of(cls, host: str, asked: str, about: str) -> Question:
        """The same one whenever it is asked: a moment in its path is one that an answer before it has named."""
        return cls(host, _MOMENT.sub("since=", asked), about)


class _Place(NamedTuple):
    t: float
    position: Position


class Answers:
    """Places, in the order of the file; what is read a second time is known already."""

    def __init__(self) -> None:
        self._places: dict[Question, list[_Place]] = {}
        self._read = Position(-1)

    def note(self, record: Answered, position: Position) -> None:
        """An answer was read."""
        if position <= self._read:
            return
        self._read = position
        places = self._places.setdefault(Question.of(record.host, record.asked, record.about), [])
        if record.same and not places:
            return  # the one that it is the same as cannot be read
        places.append(_Place(record.t, places[-1].position if record.same else position))
        if len(places) > _MOST_ANSWERS:
            del places[: _MOST_ANSWERS // 2]

    def last(self, question: Question, now: float) -> _Place | None:
        """The last answer until then, whether it still holds or not."""
        places = self._places.get(question, [])
        found = bisect_right(places, now, key=lambda place: place.t)
        return places[found - 1] if found else None


class Tail:
    """The end of a log, and who follows it."""

    def __init__(self) -> None:
        self._open = False
        self._lines: deque[tuple[float, LogLine]] = deque(maxlen=TAIL_LINES)
        self._count = 0
        self._wound = 0
        self._news = asyncio.Event()

    def add(self, record: LogHeard) -> None:
        """Something about this log was read."""
        if record.state == "opened":
            self._lines.clear()  # its end is told again
        self._open = record.state != "closed"
        if record.line:
            self._lines.append((record.t, record.line))
            self._count += 1
            self._tell()

    def back(self, t: float) -> None:
        """Forget what came after a time; whoever follows has to begin anew."""
        kept = [one for one in self._lines if one[0] <= t]
        self._lines.clear()
        self._lines.extend(kept)
        self._wound += 1
        self._tell()

    def lines(self, wanted: int) -> list[LogLine]:
        """The last lines, as if they had been there before the reader came."""
        old = [msgspec.structs.replace(line, old=True) for _, line in list(self._lines)[-wanted:]]
        return old if self._open else [*old, LogLine(source="", old=True, lost_unknown=True)]

    async def follow(self) -> AsyncIterator[LogLine]:
        """Those that come.

        Raises:
            UnreachableError: the recording was wound back.
        """
        seen, wound = self._count, self._wound
        while True:
            if self._count == seen:
                await self._news.wait()
            if self._wound != wound:
                raise UnreachableError("The recording was wound back.", "The log is read again from there.")
            missed, seen = self._count - seen, self._count
            lines = list(self._lines)[-missed:]
            if missed > len(lines):
                yield LogLine(source="", lost=missed - len(lines))
            for _, line in lines:
                yield line

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
