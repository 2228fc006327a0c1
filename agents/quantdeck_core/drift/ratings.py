"""What people thought of answers."""

from __future__ import annotations

RATED_ANSWERS = 2_000
"""Rated answers whose ratings are known: about one answer in a hundred is rated."""


class Ratings:
    """What people thought of the last answers that anybody rated; of each answer the last rating holds."""

    def __init__(self, size: int = RATED_ANSWERS) -> None:
        self._size = size
        self._of_answer: dict[str, float] = {}
        self.ups = self.downs = 0

    def rate(self, answer: str, rating: float) -> None:
        """Count a rating, -1 to 1; 0 takes an earlier one back."""
        self._count(self._of_answer.pop(answer, 0.0), -1)
        self._of_answer[answer] = rating
        self._count(rating, 1)
        if len(self._of_answer) > self._size:
            self._count(self._of_answer.pop(next(iter(self._of_answer))), -1)

    def _count(self, rating: float, sign: int) -> None:
        self.ups += sign * (rating > 0)
        self.downs += sign * (rating < 0)
