"""Text from hosts, models and files is text: neither escape codes nor markup reach a terminal."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n": "\n", "\t": "    "}


def clean(text: str, *, one_line: bool = False) -> str:
    """Drop control, format and lone surrogate characters: C0, DEL, C1 (so ESC and OSC with it) and bidi overrides.

    Args:
        one_line: newlines and tabs become single spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = {"\n": " ", "\t": " "} if one_line else _KEPT
    return "".join(
        kept.get(char, "") if unicodedata.category(char) in ("Cc", "Cs") or _is_override(char) else char
        for char in text
    )


def has_words(text: str, pattern: str) -> bool:
    """Whether a text has all words of a filter, in any order and case; a leading `!` inverts, and no word is in all."""
    wanted = pattern.strip().casefold()
    words = wanted.removeprefix("!").split()
    if not words:
        return True
    folded = text.casefold()
    return all(word in folded for word in words) != wanted.startswith("!")


def _is_override(char: str) -> bool:
    """Whether it changes the direction of what follows (joiners, which scripts need, do not)."""
    return unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
