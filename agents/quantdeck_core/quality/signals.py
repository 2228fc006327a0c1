"""What one answer's text says about the model that wrote it: no ground truth is needed, only the text."""

from __future__ import annotations

import msgspec

from quantdeck_core.quality.coherence import coherence, is_empty, is_garbled
from quantdeck_core.quality.refusals import refuses
from quantdeck_core.quality.repetition import Loop, loop_in


class TextSignals(msgspec.Struct, frozen=True, kw_only=True):
    """Signals of one answer.

    Attributes:
        repetition: it is a loop, by any detector.
        loop: by which; empty for none.
        refusal: it reads like a refusal.
        coherence: share of words that are more than half letters, 0..1; 1.0 for an empty answer.
        garbled: it has characters that are none, or jumps between scripts.
        empty: there is nothing to see.
        words: whitespace-separated words.
    """

    repetition: bool
    loop: Loop = ""
    refusal: bool
    coherence: float
    garbled: bool = False
    empty: bool = False
    words: int


def text_signals(text: str) -> TextSignals:
    """All signals of one answer, in time linear in its length."""
    lowered = text.lower()
    words = lowered.split()
    loop = loop_in(text, words)
    return TextSignals(
        repetition=loop != "",
        loop=loop,
        refusal=refuses(lowered, words),
        coherence=coherence(words, ascii=lowered.isascii()),
        garbled=is_garbled(lowered, len(words)),
        empty=not words or is_empty(text),
        words=len(words),
    )
