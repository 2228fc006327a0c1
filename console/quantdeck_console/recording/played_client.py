"""An agent as it was while it was recorded: it answers what it was asked then, and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from quantdeck_console.actions.action import PLAYED
from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.recording.heard import HOLDS_S, Question
from quantdeck_console.recording.kept import about, changes
from quantdeck_console.recording.recording_link import log_source
from quantdeck_console.recording.records import Answered
from quantdeck_core.errors import ForbiddenError, NotFoundError, RemoteError
from quantdeck_core.fleet.cells import clock
from quantdeck_core.protocol.logs import DEFAULT_LINES, LogLine

if TYPE_CHECKING:
    from quantdeck_console.recording.player import PlayedFleet

T = TypeVar("T")


class NotRecordedError(NotFoundError):
    """Nobody asked this when it was recorded."""

    code = "not-recorded"
    title = "Not recorded"


class PlayedClient(DeckClient):
    """All typed calls to one host of a recording."""

    def __init__(self, host: str, fleet: PlayedFleet) -> None:
        super().__init__(host, httpx.AsyncBaseTransport())  # nothing goes through it
        self._name, self._fleet = host, fleet

    async def _call(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[T], deadline_s: float = 0.0
    ) -> T:
        del deadline_s
        if changes(method, path):
            raise ForbiddenError(f"{PLAYED[0].upper()}{PLAYED[1:]}.", "Ask the hosts themselves: quantdeck console.")
        question = Question.of(self._name, f"{method} {path}", about(path, body))
        record = self._answer(question)
        if record.error:
            raise RemoteError(record.error, record.status)
        try:
            return msgspec.json.decode(record.answer, type=kind)
        except msgspec.MsgspecError as error:
            raise NotRecordedError(f"The answer in the recording cannot be read: {error}.") from None

    def _answer(self, question: Question) -> Answered:
        now = self._fleet.clock()
        place = self._fleet.answers.last(question, now)
        if place is None:
            raise NotRecordedError(
                f"This was not asked on {self._name} until {clock(now)}.",
                "A recording holds what its console asked for: panes that were open then.",
            )
        if now - place.t > HOLDS_S:
            raise NotRecordedError(
                f"This was asked last at {clock(place.t)}, and not again until {clock(now)}.", "< goes back."
            )
        record = self._fleet.tape.at(place.position)
        if not isinstance(record, Answered) or record.withheld:
            raise NotRecordedError("The answer was left out: it may hold what users wrote.")
        return record

    async def lines(self, path: str, timeout: httpx.Timeout) -> AsyncIterator[bytes]:
        """The end of a log as it was, and what came then."""
        del timeout
        source = log_source(path)
        tail = self._fleet.tails.get((self._name, source))
        if tail is None:
            raise NotRecordedError(
                f"{source or 'This'} of {self._name} was not read until {clock(self._fleet.clock())}.",
                "A recording holds the logs that its console followed.",
            )
        options = parse_qs(urlsplit(path).query)
        wanted = int(options.get("lines", [str(DEFAULT_LINES)])[0])
        for line in tail.lines(wanted):
            yield msgspec.json.encode(line)
        if options.get("follow") != ["1"]:
            return
        yield msgspec.json.encode(LogLine(source=source))
        async for line in tail.follow():
            yield msgspec.json.encode(line)
