"""A change of weight before it is sent: who moves, in which direction, and as which request."""

from __future__ import annotations

from uuid import uuid4

from quantdeck_core.fleet.cells import split, weight
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.requests import ChangeWeight


def preview(now_bp: int, new_bp: int) -> tuple[str, str]:
    """The split before and after, and who moves: ``45 % of users: 90/10 -> 45/55``, ``up: ...``."""
    if new_bp == now_bp:
        return f"stays {split(now_bp)}", "nobody moves"
    moved = weight(abs(new_bp - now_bp))
    change = f"{weight(new_bp)} of users: {split(now_bp)} -> {split(new_bp)}"
    if new_bp > now_bp:
        return change, f"up: {moved} of users move to the treatment, nobody moves back"
    return change, f"down: {moved} of users go back to the control, nobody else moves"


def needs_name(now_bp: int, new_bp: int) -> bool:
    """A shift of everyone leaves no control to compare with: it asks for the experiment's name."""
    return new_bp == BUCKETS and now_bp < BUCKETS


class WeightRequests:
    """The same wish, based on the same revision, keeps its request id: a repeat after a lost answer applies once."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._ids: dict[tuple[int, int], str] = {}

    def request(self, weight_bp: int, revision: int) -> ChangeWeight:
        """The message for a weight, based on the revision that the asker saw."""
        request_id = self._ids.setdefault((weight_bp, revision), uuid4().hex)
        return ChangeWeight(request_id=request_id, by=self._by, weight_bp=weight_bp, revision=revision)
