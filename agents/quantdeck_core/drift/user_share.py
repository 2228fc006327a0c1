"""One user counts for a bounded share of a verdict: one whose prompts make a model loop must not roll everyone back."""

from __future__ import annotations

from collections import deque

SPAN = 500
"""Answers over which a user's share is bounded."""


class UserShare:
    """Which answers of an arm are judged: at most `limit` of a user's among the last `SPAN` that were offered.

    Requests of nobody in particular, user ``""``, are not bounded; neither is anyone where `limit` is 0.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._offered: deque[str] = deque()
        """Whose answer it was; empty where it was not judged, or nobody's."""
        self._judged: dict[str, int] = {}
        self.left_out = 0
        """Answers that were not judged for this reason."""

    def admit(self, user: str) -> bool:
        """Count an answer that was offered; whether it is to be judged."""
        admitted = not user or not self._limit or self._judged.get(user, 0) < self._limit
        if admitted and user:
            self._judged[user] = self._judged.get(user, 0) + 1
        self.left_out += not admitted
        self._offered.append(user if admitted else "")
        if len(self._offered) > SPAN:
            self._forget(self._offered.popleft())
        return admitted

    def _forget(self, user: str) -> None:
        if not user:
            return
        left = self._judged[user] - 1
        if left:
            self._judged[user] = left
        else:
            del self._judged[user]
