"""Is every user where the lesson's arithmetic puts them? Computed here anew, not with the code under test."""

from __future__ import annotations

import hashlib


def lesson_variant(experiment: str, user: str, fraction: float) -> str:
    """The lesson's router: a SHA-256 of experiment and user, modulo 10,000, against the treatment's fraction."""
    value = int(hashlib.sha256(f"{experiment}:{user}".encode()).hexdigest(), 16)
    return "treatment" if (value % 10000) / 10000.0 < fraction else "control"


class SplitCheck:
    """Knows which weights may hold at each moment; while a change is under way, the old and the new one may."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._weights: tuple[int, ...] = (0,)
        self.mismatched: set[str] = set()
        """Users who were answered by an arm that no weight in force gives them."""

    def changing_to(self, weight_bp: int) -> None:
        """A change was asked for: both weights are right until it is acknowledged."""
        self._weights = (*self._weights, weight_bp)

    def settled(self, weight_bp: int) -> None:
        """The gateway acknowledged: only this weight is right for what is asked from now on."""
        self._weights = (weight_bp,)

    def now(self) -> tuple[int, ...]:
        """Weights that may hold now; taken before a request and again when its headers have come."""
        return self._weights

    def answered(self, user: str, variant: str, asked: tuple[int, ...]) -> None:
        """Compare an answer's arm with what the weights between asking and answering allow."""
        allowed = {lesson_variant(self._experiment, user, bp / 10_000) for bp in (*asked, *self._weights)}
        if variant not in allowed:
            self.mismatched.add(user)
