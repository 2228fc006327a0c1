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
    content, texts = Content(), list[str]()
    at = misses = 0
    while at < len(body) and not content.done:
        end = body.find(b"\n\n", at) if b"\r" not in body[:_FIRST] else -1
        end = len(body) if end < 0 else end
        shape = None
        for event in events(body[at:end]):
            if event == DONE:
                content.done = True
                break
            parsed = _parse(event)
            if parsed is not None:
                texts.append(_take(content, parsed))
                shape = _shape_of(event, parsed) if misses < _MOST_MISSES else None
        at = end + 2
        if shape is not None and not content.done:
            after = _read_run(body, at, shape, content, texts)
            misses = misses + 1 if after == at else 0
            at = after
    content.text = "".join(texts)
    return content


_FIRST = 1024
"""Bytes in which it shows how a stream ends its lines. Where all is read as lines the rest is no slower than it was."""
_MOST_MISSES = 16
"""Where no event is like the one before (with `logprobs`), it is not tried for ever."""
_AT_ONCE, _MOST_AT_ONCE = 4_096, 65_536
"""Bytes of a run that are looked at together: its end need not be searched for in all the rest. More and more of them,
since a long run is rather longer still."""
_MARK = 12
"""Bytes of an event's end by which events are told apart: short pieces are found faster than long ones."""
_TEXT = re.compile(rb'"(?:content|text)": ?"((?:[^"\\]|\\.)*)"')


class _Shape(NamedTuple):
    """What an event has before and after the text that it adds; engines repeat that from event to event, some until the
    second changes that they put into it."""

    begin: bytes
    end: bytes


def _shape_of(event: bytes, parsed: _Body) -> _Shape | None:
    """The shape of an event that does nothing but add text to the first choice; None for any other."""
    if len(parsed.choices) != 1 or parsed.usage is not None or parsed.choices[0].finish_reason is not None:
        return None
    found = _TEXT.search(event)
    if found is None or b"\n" in event:
        return None
    shape = _Shape(event[: found.start(1)], event[found.end(1) :])
    # Whether this is where the text stands is shown by another text in its place.
    probe, there = _parse(shape.begin + b"?" + shape.end), Content()
    return shape if probe is not None and _take(there, probe) == "?" and not there.calls else None


def _read_run(body: bytes, at: int, shape: _Shape, content: Content, texts: list[str]) -> int:
    """Read the events of one shape that stand at a place, many at once; returns where they end.

    Taking each out and parsing it costs four times as much.
    """
    before, after = b"data: " + shape.begin, shape.end + b"\n\n"
    between, mark = after + before, after[-_MARK:]
    rest = after[: -len(mark)]
    first, last = len(before), -len(rest) or None
    size = _AT_ONCE
    while body.startswith(before, at):
        end = body.rfind(after, at, at + size)
        if end < 0:
            break
        pieces = [piece[first:last] for piece in body[at : end + len(rest)].split(mark)]
        if not body.startswith(before + between.join(pieces), at):
            pieces, end = _up_to_another(body[at:end], before, after)
            end += at
        try:
            texts.append(_string.decode(b'"%b"' % b"".join(pieces)))
        except (msgspec.MsgspecError, UnicodeError):
            break  # one of them says more than a text: they are read one by one
        content.events += len(pieces)
        at = end + len(after)
        size = min(2 * size, _MOST_AT_ONCE)
    return at


def _up_to_another(run: bytes, before: bytes, after: bytes) -> tuple[list[bytes], int]:
    """What the events add that stand before the first one of another shape, and where the last of them has its end."""
    pieces: list[bytes] = []
    end = -len(after)
    for event in run.split(after):
        if not event.startswith(before):
            break
        pieces.append(event[len(before) :])
        end += len(event) + len(after)
    return pieces, end


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
