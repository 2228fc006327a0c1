"""What a judge hears of one answer."""

from __future__ import annotations

import math

import msgspec

from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.signals import AnswerSignals


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One finished answer without its text.

    Attributes:
        t: UNIX time of its last byte, seconds.
        user: 16 hex digits; empty where nobody is known.
        segment: as the request named it; mostly empty.
        long: more than 2,000 prompt tokens: the lesson finds errors of quantized attention from there on.
        complete: False is a failure: 5xx, or broken off. Nothing else is known of it then.
        coherence: share of recognizable words, 0 to 1.
        truncated: it was ended by its limit of tokens.
        tokens: completion tokens as the engine counted them.
        ttft_ms: of a streamed answer; `itl_ms` is the mean gap between its tokens.
    """

    variant: VariantName
    generation: int = 0
    t: float = 0.0
    user: str = ""
    segment: str = ""
    long: bool = False
    complete: bool = True
    repetition: bool = False
    refusal: bool = False
    coherence: float = 1.0
    garbled: bool = False
    empty: bool = False
    truncated: bool = False
    tokens: int | None = None
    words: int = 0
    ttft_ms: float | None = None
    itl_ms: float | None = None
    e2e_ms: float | None = None


def observation_of(answer: AnswerSignals) -> Observation:
    """An answer of the gateway as the judge hears it. Only a streamed one has a first token that a user saw."""
    return Observation(
        variant=answer.variant,
        generation=answer.generation,
        t=answer.t,
        user=answer.user,
        segment=answer.segment,
        long=answer.long,
        complete=answer.complete,
        repetition=answer.repetition,
        refusal=answer.refusal,
        coherence=answer.coherence,
        garbled=answer.garbled,
        empty=answer.empty,
        truncated=answer.truncated,
        tokens=answer.completion_tokens,
        words=answer.words,
        ttft_ms=answer.ttft_ms if answer.stream else None,
        itl_ms=answer.itl_ms,
        e2e_ms=answer.e2e_ms,
    )


def measured(value: float | None) -> float | None:
    """A latency that can be compared; None for what is missing, NaN, infinite or negative."""
    return value if value is not None and 0.0 <= value < math.inf else None
