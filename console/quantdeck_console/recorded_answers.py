"""Recorded answers, one JSON object a line, as a judge hears them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.drift.observation import Observation
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.signals import LONG_PROMPT_TOKENS
from quantdeck_core.quality.signals import text_signals
from quantdeck_core.text import clean

MOST_SORTED = 2_000_000
"""Answers, about a gigabyte of them."""
Count = Annotated[int, Meta(ge=0)]


class RecordedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line. Other fields are left alone: recordings have their own.

    Attributes:
        t: UNIX time of the last byte, seconds.
        finish_reason: as the engine gave it: `length` is an answer that its limit of tokens ended.
        user: whoever asked; told apart only.
    """

    variant: VariantName
    text: str
    prompt_tokens: Count
    t: float
    completion_tokens: Count | None = None
    finish_reason: str | None = None
    user: str = ""
    ttft_ms: float | None = None
    segment: str = ""


_DECODER = msgspec.json.Decoder(RecordedAnswer)


def observations(lines: Iterable[bytes], name: str) -> Iterator[Observation]:
    """Each line's answer; empty lines are passed over.

    Raises:
        InputError: a line that is no answer, by its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _observation(_DECODER.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"Line {number} of {clean(name, one_line=True)} is no recorded answer: {error}.",
                'Each line is one JSON object: {"variant": "control" or "treatment", "text": "...", '
                '"prompt_tokens": 12, "t": 1760000000.5}.',
            ) from error


def in_order(lines: Iterable[bytes]) -> bool:
    """Whether each answer is as late as the one before it. Lines that are no answers are somebody else's to report."""
    last = -math.inf
    for line in lines:
        try:
            t = _TIME.decode(line).t
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if t < last:
            return False
        last = t
    return True


def sorted_observations(lines: Iterable[bytes], name: str) -> list[Observation]:
    """All answers of a recording that is not in the order of time, in that order.

    Raises:
        InputError: a line that is no answer, or more of them than fit a laptop's memory.
    """
    found = []
    for seen in observations(lines, name):
        found.append(seen)
        if len(found) > MOST_SORTED:
            raise InputError(
                f"{clean(name, one_line=True)} is not in the order of `t`, and has more than {MOST_SORTED:,} answers.",
                "Sort it by `t` first: control and treatment are compared side by side in time.",
            )
    found.sort(key=lambda one: one.t)
    return found


class _Time(msgspec.Struct):
    t: float


_TIME = msgspec.json.Decoder(_Time)


def _observation(answer: RecordedAnswer) -> Observation:
    signals = text_signals(answer.text)
    return Observation(
        variant=answer.variant,
        t=answer.t,
        user=answer.user,
        segment=answer.segment,
        long=answer.prompt_tokens > LONG_PROMPT_TOKENS,
        repetition=signals.repetition,
        refusal=signals.refusal,
        coherence=signals.coherence,
        garbled=signals.garbled,
        # A call of a tool has no text, and is an answer.
        empty=signals.empty and answer.finish_reason not in ("tool_calls", "function_call"),
        truncated=answer.finish_reason == "length",
        tokens=answer.completion_tokens,
        words=signals.words,
        ttft_ms=answer.ttft_ms,
    )
