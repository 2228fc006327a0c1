"""The text the demo model speaks, cut into the pieces that are its tokens.

`corpus.txt` holds the sentences of the answers. Every piece has one grammatical place there (a noun after "the" is an
object, one after "our" a subject, "and" joins objects only), so sentences stay grammatical when a chain of pieces mixes
them. An underscore joins two words into one piece: places follow "along_the", and what a verb takes follows "the".
`questions.txt` holds what users ask; its words are never answers.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

SPACE = "\u2581"
"""Stands for a space inside a piece, as in SentencePiece vocabularies."""
STOP = "."
"""Ends the last sentence of an answer."""
STOP_AND_GO_ON = STOP + SPACE
"""Ends every other sentence. The space belongs to it, so answers neither begin nor end with one."""

_WORDS = re.compile(r"[^\s.,?]+|[.,?]")
_MARKS = ".,?"

Pieces = tuple[str, ...]


def pieces_of(sentence: str) -> Pieces:
    """The pieces of one written sentence: words after the first begin with a space, punctuation marks do not."""
    words = _WORDS.findall(sentence.replace("_", SPACE))
    return tuple(word if place == 0 or word in _MARKS else SPACE + word for place, word in enumerate(words))


def text_of(pieces: Pieces) -> str:
    """The plain text that pieces stand for."""
    return "".join(pieces).replace(SPACE, " ")


@cache
def sentences() -> tuple[Pieces, ...]:
    """The sentences of the answers; each ends with `STOP`."""
    return _read("corpus.txt")


@cache
def questions() -> tuple[Pieces, ...]:
    """What users ask."""
    return _read("questions.txt")


def _read(name: str) -> tuple[Pieces, ...]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return tuple(pieces_of(line) for line in text.splitlines() if line.strip())
