"""From the bytes of an answer to its text: pure functions."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.gateway import Answer, AnswerRating, AnswerSignals, Signal
from quantdeck_core.quality import text_signals
from quantdeck_gateway.handover import FinishedAnswer, Handed, RatedAnswer

_DONE = b"[DONE]"


class _Message(msgspec.Struct):
    content: str | None = None


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
    """What an answer's bytes hold of the first choice."""

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    done: bool = False
    """`[DONE]` was there, or the JSON body was whole."""


_decoder = msgspec.json.Decoder(_Body)


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
    content, texts = Content(), []
    for event in events(body):
        if event == _DONE:
            content.done = True
            break
        parsed = _parse(event)
        if parsed is not None:
            texts.append(_take(content, parsed))
    content.text = "".join(texts)
    return content


def events(body: bytes) -> list[bytes]:
    """The data of each event, several `data:` lines of one event joined as the standard says."""
    found: list[bytes] = []
    lines: list[bytes] = []
    for line in body.splitlines():
        if line.startswith(b"data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            found.append(b"\n".join(lines))
            lines = []
    if lines:
        found.append(b"\n".join(lines))
    return found


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
            content.finish_reason = choice.finish_reason or content.finish_reason
            message = choice.delta or choice.message
            return choice.text or (message.content if message else None) or ""
    return ""


def to_answer(finished: FinishedAnswer) -> Answer:
    """An answer with its text, from what the proxy saw."""
    content = read_events(finished.body) if finished.stream else read_json(finished.body)
    # What is longer than what is kept of an answer has its end cut off: then HTTP's word is all there is.
    complete = finished.ended and finished.status == 200 and (content.done or finished.cut)
    return Answer(
        experiment=finished.experiment,
        variant=finished.variant,
        generation=finished.generation,
        replica=finished.replica,
        user=finished.user,
        t=finished.t,
        status=finished.status,
        complete=complete,
        stream=finished.stream,
        text=content.text,
        finish_reason=content.finish_reason,
        prompt_tokens=content.prompt_tokens,
        completion_tokens=content.completion_tokens,
        ttft_ms=finished.ttft_ms,
        e2e_ms=finished.e2e_ms,
        shadow=finished.shadow,
    )


def to_signals(answer: Answer, seq: int) -> AnswerSignals:
    """What may leave the analyser: no text any more."""
    signals = text_signals(answer.text)
    return AnswerSignals(
        seq=seq,
        experiment=answer.experiment,
        variant=answer.variant,
        generation=answer.generation,
        replica=answer.replica,
        user=answer.user,
        t=answer.t,
        status=answer.status,
        complete=answer.complete,
        stream=answer.stream,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        ttft_ms=answer.ttft_ms,
        e2e_ms=answer.e2e_ms,
        shadow=answer.shadow,
        repetition=signals.repetition,
        refusal=signals.refusal,
        coherence=signals.coherence,
        words=signals.words,
    )


def to_signal(handed: Handed, seq: int) -> Signal:
    """What agents hear of what the proxy handed over."""
    if not isinstance(handed, RatedAnswer):
        return to_signals(to_answer(handed), seq)
    return AnswerRating(
        seq=seq,
        experiment=handed.experiment,
        variant=handed.variant,
        generation=handed.generation,
        answer=handed.answer,
        rating=handed.rating,
        t=handed.t,
    )
