"""A prompt of a canary, and where it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

CUTS = 8
"""Prefixes of a short prompt whose next token is compared."""
LONG_CUTS = 4
_SPACED = 3
"""Spaces of a text that is written with spaces."""
LONG_CHARS = 8_000
"""A text from here on has 2,000 tokens and more in common vocabularies (4 characters a token in English)."""


class CanaryPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed text.

    Attributes:
        id: unique in its set, also in what is remembered.
    """

    id: str
    text: str

    @property
    def long(self) -> bool:
        """Whether it counts as long context."""
        return len(self.text) >= LONG_CHARS


def prefixes(prompt: CanaryPrompt) -> tuple[str, ...]:
    """The beginnings of it that are asked for their next token, shortest first; the last one is the whole.

    They end at words, where tokens end in most vocabularies, or between characters in scripts without spaces. Those of
    a long prompt lie in its last twentieth, so that each is long context too.
    """
    text = prompt.text
    wanted, since = (LONG_CUTS, len(text) * 19 // 20) if prompt.long else (CUTS, len(text) // 5)
    words = [place for place in range(1, len(text)) if text[place] == " " and text[place - 1] != " "]
    places = words if len(words) >= _SPACED else [place for place in range(1, len(text)) if text[place - 1] != " "]
    late = [place for place in places if place >= since]
    picked = _spread(late if len(late) >= wanted - 1 else places, wanted - 1)
    return (*(text[:place] for place in picked), text)


def _spread(places: Sequence[int], most: int) -> list[int]:
    """At most so many of them, the last ones included, as evenly as can be."""
    if len(places) <= most:
        return list(places)
    return [places[(number + 1) * len(places) // most - 1] for number in range(most)]


def set_id(prompts: Sequence[CanaryPrompt]) -> str:
    """Digest of a set: answers to another one are not compared with answers to this one."""
    digest = sha256()
    for prompt in prompts:
        for text in (prompt.id, *prefixes(prompt)):
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]
