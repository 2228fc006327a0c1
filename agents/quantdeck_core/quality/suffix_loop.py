"""Whether the end of a text is a short period many times over: of a finished text, or of one that is being written."""

from __future__ import annotations

LONGEST_PERIOD = 1024
"""Characters. Longer turns are paragraphs, of which five would be 5,000 characters of loop."""
TURNS = 5
"""How often the period must be there, one after the other."""
LEAST_RUN = 400
"""Characters that the turns must have together.

Rules of dashes have up to 120, leaders of dots and blanks to fill in up to 100, ten empty rows of a table about 300; a
model in a loop writes until it is stopped, 1,000 characters in a limit of 256 tokens.
"""
CUT_TURNS = 8
CUT_RUN = 2000
"""The same for an answer that shall be cut in mid-stream, where a mistake takes something from a user: a matrix of 25
rows of zeros has 1,900 characters, an empty table of 50 rows 1,500."""
_ANCHORS = (16, 64, 256, LONGEST_PERIOD)
"""Lengths of the ends that are looked for further up. The shortest finds nearly all; the others see a period within
which an end comes twice."""
_LOOK_EVERY = 256


def suffix_period(text: str, turns: int = TURNS, run: int = LEAST_RUN) -> int:
    """Length of the period that the text ends with, in characters; 0 for none. Looks at a bounded part of it.

    Args:
        turns: how often it must be there.
        run: characters that these must have together.
    """
    anchor = _ANCHORS[0]
    if len(text) < run or text.rfind(text[-anchor:], -LONGEST_PERIOD - anchor, -1) < 0:
        return 0
    # Backwards, since looking forwards for a long piece takes linear time whatever the text is, and backwards does not.
    end = text[: -turns * LONGEST_PERIOD - 1 : -1]
    for anchor in _ANCHORS:
        period = end.find(end[:anchor], 1, LONGEST_PERIOD + anchor)
        if period < 0:
            return 0
        needed = max(run, turns * period)
        if len(end) >= needed and end[period:needed] == end[: needed - period]:
            return period
    return 0


class SuffixLoop:
    """Looks for a loop while a text is being written; linear in its length, in bounded memory.

    Attributes:
        period: of the loop that it ran into, in characters; 0 until then.
    """

    def __init__(self, turns: int = CUT_TURNS, run: int = CUT_RUN) -> None:
        self.period = 0
        self._turns, self._run = turns, run
        self._kept = max(turns * LONGEST_PERIOD, run)
        self._end = ""
        self._unseen = 0

    def feed(self, piece: str) -> bool:
        """Take in what was written next; whether the text is a loop now."""
        self._end = (self._end + piece)[-self._kept :]
        self._unseen += len(piece)
        if self._unseen >= _LOOK_EVERY:
            self._unseen = 0
            self.period = suffix_period(self._end, self._turns, self._run)
        return self.period > 0
