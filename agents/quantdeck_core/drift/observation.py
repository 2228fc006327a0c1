"""What a judge hears of one answer."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.gateway import AnswerSignals, VariantName


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    variant: VariantName
    generation: int = 0
    t: float
    user: str = ""
    segment: str = ""
    long: bool = False
    complete: bool = True
    repetition: bool = False
    refusal: bool = False
    garbled: bool = False
    coherence: float = 1.0
    empty: bool = False
    truncated: bool = False
    tokens: int | None = None
    words: int = 0
    ttft_ms: float | None = None
    itl_ms: float | None = None
    e2e_ms: float | None = None


def observation_of(answer: AnswerSignals) -> Observation:
    """What a judge needs of what the analyser says."""
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
        garbled=answer.garbled,
        coherence=answer.coherence,
        empty=answer.empty,
        truncated=answer.truncated,
        tokens=answer.completion_tokens,
        words=answer.words,
        ttft_ms=answer.ttft_ms,
        itl_ms=answer.itl_ms,
        e2e_ms=answer.e2e_ms,
    )
