"""Text from hosts, models and files is text: neither escape codes nor markup reach a terminal."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n": "\n", "\t": "    ", "\u2028": "\n", "\u2029": "\n"}
_DROPPED = frozenset(("Cc", "Cs", "Zl", "Zp"))


def clean(text: str, *, one_line: bool = False) -> str:
    """Drop control, format and lone surrogate characters: C0, DEL, C1 (so ESC and OSC with it) and bidi overrides.

    Args:
        one_line: newlines, those of Unicode as well, and tabs become single spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = dict.fromkeys(_KEPT, " ") if one_line else _KEPT
    return "".join(
        kept.get(char, "") if unicodedata.category(char) in _DROPPED or _is_override(char) else char for char in text
    )


def _is_override(char: str) -> bool:
    """Whether it changes the direction of what follows (joiners, which scripts need, do not)."""
    return unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
