"""Which of the analyser's signals came before a moment: no clock says so, since clocks are set."""

from __future__ import annotations

import msgspec


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in the analyser's row of signals.

    Attributes:
        epoch: of the analyser; another one begins anew, and all that it says is later.
        seq: of the signal heard last.
    """

    epoch: str = ""
    seq: int = -1

    def covers(self, other: Heard) -> bool:
        """Whether the other signal was sent before or is the one that was heard here."""
        return self.epoch == other.epoch and other.seq <= self.seq
