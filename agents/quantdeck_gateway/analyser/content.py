"""From the bytes of an answer to its text: pure functions, linear in their length."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from quantdeck_gateway.events import DONE, events


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: msgspec.Raw | None = None

    @property
    def calls(self) -> bool:
        return bool(self.tool_calls) or self.function_call is not None


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class Content(msgspec.Struct, kw_only=True):
    """What an answer's bytes hold of the first choice.

    Attributes:
        calls: it calls tools.
        done: `[DONE]` was there, or the JSON body was whole.
        events: of a stream, those with a choice.
    """

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    calls: bool = False
    done: bool = False
    events: int = 0


_decoder = msgspec.json.Decoder(_Body)
_string = msgspec.json.Decoder(str)


def read_json(body: bytes) -> Content:
    """An answer in one piece; empty where it is not what OpenAI's API says."""
    content = Content()
    parsed = _parse(body)
    if parsed is not None:
        content.text = _take(content, parsed)
        content.done = True
    return content


def read_events(body: bytes) -> Content:
    """A stream of server-sent events; lines that are no such event are left out."""
    content, texts = Content(), _Texts()
    shape, shapes = None, 0
    for event in events(body):
        if shape is not None and event.startswith(shape.begin) and event.endswith(shape.end):
            inner = event[len(shape.begin) : -len(shape.end)]
            if b'"' not in inner:
                texts.add_quoted(inner)
                continue
        if event == DONE:
            content.done = True
            break
        parsed = _parse(event)
        if parsed is not None:
            texts.add(_take(content, parsed))
            if shapes < _MOST_SHAPES and (found := _shape_of(event, parsed)) is not None:
                shape, shapes = found, shapes + 1
    content.text, content.events = texts.whole(), content.events + texts.quoted
    return content


class _Shape(NamedTuple):
    """What an event has before and after the text that it adds."""

    begin: bytes
    end: bytes


_MOST_SHAPES = 64
"""Engines repeat all but the text from event to event, some until the second changes that they put into it. To compare
costs a fifth of parsing; where nothing is like the one before (with `logprobs`), it is not tried for ever."""
_TEXT = re.compile(rb'"(?:content|text)": ?"((?:[^"\\]|\\.)*)"')


def _shape_of(event: bytes, parsed: _Body) -> _Shape | None:
    """The shape of an event that does nothing but add text to the first choice; None for any other."""
    if len(parsed.choices) != 1 or parsed.usage is not None or parsed.choices[0].finish_reason is not None:
        return None
    found = _TEXT.search(event)
    if found is None or len(event) - found.end(1) < 1:
        return None
    begin, end = event[: found.start(1)], event[found.end(1) :]
    # Whether this is where the text stands is shown by another text in its place.
    probe, there = _parse(begin + b"?" + end), Content()
    return _Shape(begin, end) if probe is not None and _take(there, probe) == "?" and not there.calls else None


class _Texts:
    """Pieces of a text; runs of such as are still quoted as JSON has them are unquoted together."""

    def __init__(self) -> None:
        self.quoted = 0
        self._pieces: list[str] = []
        self._run: list[bytes] = []
        self.add_quoted = self._run.append

    def add(self, piece: str) -> None:
        if self._run:
            self._unquote()
        self._pieces.append(piece)

    def whole(self) -> str:
        self._unquote()
        return "".join(self._pieces)

    def _unquote(self) -> None:
        self.quoted += len(self._run)
        try:
            self._pieces.append(_string.decode(b'"%b"' % b"".join(self._run)))
        except (msgspec.MsgspecError, UnicodeError):
            # One of them is no JSON: all others count.
            for one in self._run:
                try:
                    self._pieces.append(_string.decode(b'"%b"' % one))
                except (msgspec.MsgspecError, UnicodeError):
                    self.quoted -= 1
        self._run.clear()


def _parse(data: bytes) -> _Body | None:
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _take(content: Content, body: _Body) -> str:
    """Note what a body or an event says, and return its piece of the first choice's text."""
    if body.usage is not None:
        content.prompt_tokens, content.completion_tokens = body.usage.prompt_tokens, body.usage.completion_tokens
    for choice in body.choices:
        if choice.index == 0:
            content.events += 1
            content.finish_reason = choice.finish_reason or content.finish_reason
            message = choice.delta or choice.message
            if message is not None and message.calls:
                content.calls = True
            return choice.text or (message.content if message else None) or ""
    return ""
