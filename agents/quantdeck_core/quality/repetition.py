"""Whether an answer goes round and round: three detectors, each of which sees loops that the others miss.

- `ngram` sees loops of words, also such as differ a little each time; nothing where there are no spaces. It takes long
  lists, tables and JSON for loops too: those come as often from the control, with which an answer is compared.
- `suffix` sees that a text ends with a short period many times over, in any script, also while it is being written;
  not a loop that ended, or whose turns differ.
- `compression` sees long stretches that say almost nothing new, in any script; not what is shorter than 1 KiB.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from quantdeck_core.quality.suffix_loop import suffix_period

Loop = Literal["", "ngram", "compression", "suffix"]
"""Which detector saw a loop; empty for none. The first of `ngram`, `suffix`, `compression` that did."""

MIN_CHARACTERS = 100
"""Shorter answers are never called a loop (the lesson *Deploying Quantized Models in Production*)."""
MIN_WORDS = 8
NGRAM = 4
MAX_NGRAM_COUNT = 4
"""A word 4-gram that appears more often than this is a loop (the lesson)."""

_MANY_WORDS = 4_000
"""From here on some 4-gram comes again in any text, so that they are counted at once."""
_SPACED = 12
"""Characters a word, space included: with fewer a text is of words."""

BLOCK_BYTES = 2048
"""They overlap by half, so that a loop of one and a half fills one, wherever it begins."""
LEAST_BYTES = 1024
"""A text that is shorter is not judged by its compression."""
MAX_COMPRESSION = 10.0
"""A block that DEFLATE makes smaller than this many times is a loop.

Whisper's decoder takes an answer back at 2.4 (`compression_ratio_threshold` of openai/whisper); speech has no tables.
Measured at level 1 with blocks of 2 KiB, on the texts of our tests: prose in eight scripts 1.3 to 2.1, source code 1.9,
numbered lists 4.0, Markdown tables 4.2, a class of getters 4.6, SQL inserts 6.0, JSON lists 5.9 to 6.7, HTML
tables 7.3; loops of a sentence, a phrase or a word 14 to 40. Of 796 pieces of Python's library, C headers and
documentation (4,000 characters each) neither this nor the suffix took one for a loop; the 4-grams took 194.
"""
_PROBE_BYTES = 12
_PROBES = (0.2, 0.4, 0.6, 0.8)
"""Where in a block it is asked whether anything comes again at all: compressing all that does not would cost more than
all other signals. Of a block that shrinks tenfold hardly a piece of this length stands there only once."""


def loop_in(text: str, words: list[str]) -> Loop:
    """By which detector a text is a loop; `words` are its lower-cased words. Linear in its length."""
    again = _again(words)
    if again >= MAX_NGRAM_COUNT and len(text) >= MIN_CHARACTERS and _has_frequent(words):
        return "ngram"
    if suffix_period(text):
        return "suffix"
    if not again and len(text) < _SPACED * len(words):
        return ""  # each four words are new ones: nothing of that shrinks tenfold
    if is_compressible(text.encode("utf-8", "surrogatepass")):
        return "compression"
    return ""


def _again(words: list[str]) -> int:
    """How many 4-grams were there before. One that comes five times is at least four times there again."""
    if len(words) < MIN_WORDS:
        return 0
    if len(words) >= _MANY_WORDS:
        return MAX_NGRAM_COUNT
    return len(words) - NGRAM + 1 - len(set(_grams(words)))


def _has_frequent(words: list[str]) -> bool:
    # By their hashes: a hundred thousand tuples do not fit into a cache.
    often = {one for one, count in Counter(map(hash, _grams(words))).items() if count > MAX_NGRAM_COUNT}
    if not often:
        return False
    counts: Counter[tuple[str, ...]] = Counter()
    for gram in _grams(words):
        if hash(gram) in often:
            counts[gram] += 1
            if counts[gram] > MAX_NGRAM_COUNT:
                return True
    return False


def _grams(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(words, words[1:], words[2:], words[3:], strict=False)


def is_compressible(data: bytes) -> bool:
    """Whether any block of a text in UTF-8 shrinks more than tenfold."""
    for start in range(0, max(1, len(data) - BLOCK_BYTES // 2), BLOCK_BYTES // 2):
        block = data[start : start + BLOCK_BYTES]
        if len(block) < LEAST_BYTES:
            return False
        if _comes_again(block) and len(block) > MAX_COMPRESSION * len(zlib.compress(block, 1)):
            return True
    return False


def _comes_again(block: bytes) -> bool:
    length = len(block)
    for where in _PROBES:
        at = int(where * length)
        probe = block[at : at + _PROBE_BYTES]
        if block.find(probe) != at or block.find(probe, at + 1) != -1:
            return True
    return False
