"""Whether an answer is made of words, and of words that belong together."""

from __future__ import annotations

import re
from functools import cache
from itertools import filterfalse

LONG_WORD = 24
"""Characters. In a script without spaces a "word" is a whole sentence; what is longer is looked at in pieces of 8."""
_PIECE = 8

REPLACED = 3
"""U+FFFD so often: bytes that are no UTF-8. One or two are a character that a token limit cut, or that was quoted."""
SWITCHES = 3
"""So many changes from one script to another that no text makes ..."""
SWITCHES_PER_WORD = 0.01
"""... and at least as many as one in 100 words."""

_INVISIBLE = " \t\r\n\v\f\u00ad\u200b\u200c\u200d\u2060\ufeff"

_SAFE = bytes(range(0xD0)) + b"\xe2\xf0"
"""First bytes (and all others) of characters in UTF-8 that are Latin, Greek, punctuation, mathematics or emoji: text of
nothing else switches no scripts. Greek is safe because formulas mix it with Latin."""
_CYRILLIC = bytes(range(0xD0, 0xD5))
_ALONE = tuple(
    _SAFE + b"\xe3\xef" + one  # E3, EF: punctuation of East Asia, forms of full width
    for one in (_CYRILLIC, bytes(range(0xE3, 0xEA)), bytes(range(0xEA, 0xEE)), bytes(range(0xD6, 0xDD)), b"\xe0")
)
"""The same with one more: Cyrillic, Han and kana, Hangul, Hebrew and Arabic, or the scripts from India to Laos."""
_CLASSES = bytes(
    ord("l")
    if chr(one).islower() and one < 0x80
    else ord("+")
    if 0x80 <= one < 0xC0
    else ord("c")
    if one in _CYRILLIC
    else 0
    for one in range(256)
)
"""By a byte of UTF-8: a Latin letter, a continuation, the first of a Cyrillic letter, or anything else."""

_SCRIPTS = (
    "\u0400-\u052f",  # Cyrillic
    "\u0530-\u058f",  # Armenian
    "\u0590-\u05ff",  # Hebrew
    "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff",  # Arabic
    "\u0900-\u097f",  # Devanagari
    "\u0980-\u0dff",  # the other scripts of India
    "\u0e00-\u0e7f",  # Thai
    "\u0e80-\u0fff",  # Lao, Tibetan
    "\u10a0-\u10ff",  # Georgian
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff",  # Han and kana: Japanese mixes them
    "\uac00-\ud7a3",  # Hangul
)
_HAN, _HANGUL = 10, 11
"""Group numbers. Korean texts have Han in them."""
_BETWEEN = (
    "[\n.,;:!?()\\[\\]{}<>\"'`|/*_=\u2010-\u203a\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\u00ab\u00bb\u060c\u0964-]"
)
"""What stands between a word and its translation; after it another script is no surprise."""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Runs of a script, each in a group of its own, and what may stand between two; compiled when first needed."""
    return re.compile("|".join(f"([{one}]+)" for one in _SCRIPTS)), re.compile(_BETWEEN)


def coherence(words: list[str], *, ascii: bool = False) -> float:
    """Share of words in which more than half of the characters are letters (the lesson's rule), 0..1; 1.0 for no words.

    A word of more than 24 characters that are not all ASCII counts as pieces of 8, so that it says something about
    Chinese or Thai too.

    Args:
        ascii: all of them are ASCII, as far as the caller knows: then this is faster.
    """
    if not words:
        return 1.0
    if not ascii:
        words = [piece for word in words for piece in _pieces(word)] if max(map(len, words)) > LONG_WORD else words
    odd = filterfalse(str.isalpha, words)
    # Most of them are a word with a comma after it.
    odder = [word for word in odd if len(word) < 3 or not word[:-1].isalpha()]
    bad = sum([2 * sum(map(str.isalpha, word)) <= len(word) for word in odder])
    return (len(words) - bad) / len(words)


def _pieces(word: str) -> list[str]:
    if len(word) <= LONG_WORD or word.isascii():
        return [word]
    return [word[at : at + _PIECE] for at in range(0, len(word), _PIECE)]


def is_empty(text: str) -> bool:
    """Whether there is nothing to see."""
    return not text or not text.strip(_INVISIBLE)


def is_garbled(lowered: str, word_count: int) -> bool:
    """Whether a text has bytes that are none, or jumps between scripts as no text does. Linear in its length.

    Languages side by side, with punctuation or a line's end between them, are no jump; nor is Latin in any other
    script, where names and terms of technology stand.

    Args:
        lowered: the text in lower case.
        word_count: its words.
    """
    if lowered.isascii():
        return False
    if lowered.count("\ufffd") >= REPLACED:
        return True
    data = lowered.encode("utf-8", "surrogatepass")
    if not data.translate(None, _SAFE):
        return False
    classes = data.translate(_CLASSES)
    switches = classes.count(b"lc") + classes.count(b"c+l")  # within a word, where the letters only look alike
    if all(data.translate(None, one) for one in _ALONE):
        switches += _switches(lowered)
    return switches >= SWITCHES and switches >= SWITCHES_PER_WORD * word_count


def _switches(lowered: str) -> int:
    """How often one script follows another one, neither of them Latin, with only spaces and Latin between them."""
    switches = last = end = 0
    runs, between = _patterns()
    for run in runs.finditer(lowered):
        script = run.lastindex or 0
        if last and script != last and {script, last} != {_HAN, _HANGUL}:
            switches += between.search(lowered, end, run.start()) is None
        last, end = script, run.end()
    return switches
