"""What one answer's text says about the model that wrote it.

The rules are those of the lesson *Deploying Quantized Models in Production*: they need no ground truth, only the text.
"""

from __future__ import annotations

import re
from collections import Counter

import msgspec

MIN_CHARACTERS = 100
"""Shorter answers are never called a loop."""
MIN_WORDS = 8
NGRAM = 4
MAX_NGRAM_COUNT = 4
"""A word 4-gram that appears more often than this is a loop."""

_REFUSALS = re.compile(
    "|".join(
        (
            r"i (?:cannot|can't|am unable to|won't) (?:help|assist|answer|respond|provide)",
            r"i (?:don't|do not) (?:feel comfortable|think it's appropriate)",
            r"this (?:request|question|topic) (?:is|seems) (?:inappropriate|harmful|dangerous)",
            r"i must (?:decline|refuse)",
        )
    )
)


class TextSignals(msgspec.Struct, frozen=True, kw_only=True):
    """Signals of one answer.

    Attributes:
        repetition: a word 4-gram loops.
        refusal: it reads like a refusal.
        coherence: share of words that are more than half letters, 0..1; 1.0 for an empty answer.
        words: whitespace-separated words.
    """

    repetition: bool
    refusal: bool
    coherence: float
    words: int


def text_signals(text: str) -> TextSignals:
    """All signals of one answer, in time linear in its length."""
    words = text.split()
    return TextSignals(
        repetition=has_repetition(text, words),
        refusal=is_refusal(text),
        coherence=coherence(words),
        words=len(words),
    )


def has_repetition(text: str, words: list[str] | None = None) -> bool:
    """Whether a word 4-gram appears more than 4 times (not under 100 characters or 8 words)."""
    if len(text) < MIN_CHARACTERS:
        return False
    lowered = [word.lower() for word in (text.split() if words is None else words)]
    if len(lowered) < MIN_WORDS:
        return False
    grams = Counter(zip(*(lowered[offset:] for offset in range(NGRAM)), strict=False))
    return max(grams.values()) > MAX_NGRAM_COUNT


def is_refusal(text: str) -> bool:
    """Whether the text contains a phrase of a refusal; typographic apostrophes count as plain ones."""
    return _REFUSALS.search(text.lower().replace("\u2019", "'")) is not None


def coherence(words: list[str]) -> float:
    """Share of words in which more than half of the characters are letters; 1.0 for no words."""
    if not words:
        return 1.0
    good = sum(1 for word in words if word.isalpha() or 2 * sum(map(str.isalpha, word)) > len(word))
    return good / len(words)
