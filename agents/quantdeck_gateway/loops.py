"""Ends streamed answers that would never end: looks for loops in what passes, where an experiment says so."""

from __future__ import annotations

from typing import Any

import msgspec

from quantdeck_core.protocol.signals import REPETITION
from quantdeck_core.quality import SuffixLoop
from quantdeck_gateway.events import DONE, events, split_whole
from quantdeck_gateway.limits import MIB

_MOST_WAITING = 1 * MIB
"""Of an event that does not end."""
_NOT_OURS = ("choices", "usage", "timings")
"""What of an event is not said again in the last one."""


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    def text(self) -> str:
        return self.content or self.reasoning_content or self.reasoning or ""


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []


_decoder = msgspec.json.Decoder(_Event)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class LoopWatch:
    """Follows one stream. What a model thinks aloud counts as text; an answer with several choices is left alone."""

    def __init__(self) -> None:
        self._loop: SuffixLoop | None = SuffixLoop()
        self._rest = b""
        self._last = b""
        self._chat = True

    @property
    def may_end(self) -> bool:
        """The answer is a loop, and stands between two events, so that another one may follow."""
        return self._loop is not None and self._loop.period > 0 and not self._rest and bool(self._last)

    def up_to_its_end(self, body: bytes) -> bytes:
        """What the client still gets of the part that was taken in last: of a loop no event that has only begun."""
        begun = len(self._rest)
        if self._loop is None or not self._loop.period or not 0 < begun <= len(body):
            return body
        self._rest = b""
        return body[:-begun]

    def feed(self, body: bytes) -> bool:
        """Take in what the engine sent next; whether the answer may be ended now."""
        if self._loop is None:
            return False
        whole, self._rest = split_whole(self._rest + body)
        if len(self._rest) > _MOST_WAITING:
            self._give_up()
        pieces: list[str] = []
        for event in events(whole):
            if event == DONE:
                self._give_up()
            else:
                self._take(event, pieces)
        self._follow("".join(pieces))
        return self.may_end

    def _follow(self, piece: str) -> None:
        if self._loop is not None:
            self._loop.feed(piece)

    def _give_up(self) -> None:
        self._loop, self._rest = None, b""

    def _take(self, event: bytes, pieces: list[str]) -> None:
        try:
            choices = _decoder.decode(event).choices
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return
        for choice in choices:
            if choice.index or choice.finish_reason is not None:
                self._give_up()
                return
            self._last, self._chat = event, choice.delta is not None
            pieces.append(choice.text or (choice.delta.text() if choice.delta else ""))

    def last_words(self) -> bytes:
        """The events that end the answer, like those before them and well-formed: the last choice, and `[DONE]`."""
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": REPETITION}
        if self._chat:
            choice["delta"] = {}
        else:
            choice["text"] = ""
        fields: dict[str, Any] = {
            name: raw for name, raw in _fields.decode(self._last).items() if name not in _NOT_OURS
        }
        return b"data: " + msgspec.json.encode(fields | {"choices": [choice]}) + b"\n\ndata: [DONE]\n\n"
