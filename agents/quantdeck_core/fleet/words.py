"""Filters as people type them, the same everywhere."""

from __future__ import annotations


def has_words(text: str, pattern: str) -> bool:
    """Whether a text has all words of a filter, in any order and case; a leading `!` inverts. No words: all pass."""
    wanted = pattern.strip().casefold()
    words = wanted.removeprefix("!").split()
    if not words:
        return True
    text = text.casefold()
    return all(word in text for word in words) != wanted.startswith("!")
