"""Both arms' windows by length of the prompt and by segment: who is hit, where the average looks well."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.window import ArmWindow, WindowStats

MAX_SEGMENTS = 16
"""Segments told apart; clients that make up more of them are counted together, under `OTHER`."""
OTHER = "other"
GROUP_WINDOW = 500


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms' last answers of one kind; `name` is `short`, `long` or `segment NAME`."""

    name: str
    control: WindowStats
    treatment: WindowStats


class Groups:
    """The last answers of each arm and kind of request; counted when somebody looks."""

    def __init__(self) -> None:
        self._answers: dict[str, dict[str, deque[Observation]]] = {}
        self._segments = 0

    def hear(self, seen: Observation) -> None:
        """Count an answer in its groups."""
        self._of("long" if seen.long else "short")[seen.variant].append(seen)
        if seen.segment:
            self._of(self._segment(seen.segment))[seen.variant].append(seen)

    def _segment(self, name: str) -> str:
        key = f"segment {name}"
        if key not in self._answers:
            if self._segments >= MAX_SEGMENTS:
                return OTHER
            self._segments += 1
        return key

    def _of(self, key: str) -> dict[str, deque[Observation]]:
        arms = self._answers.get(key)
        if arms is None:
            arms = self._answers[key] = {arm: deque(maxlen=GROUP_WINDOW) for arm in ("control", "treatment")}
        return arms

    def forget(self, variant: str) -> None:
        """Another model answers on this arm, or it was mended."""
        for arms in self._answers.values():
            arms[variant].clear()

    def shown(self) -> tuple[Group, ...]:
        """All groups, prompts first."""
        names = sorted(self._answers, key=lambda name: (name not in ("short", "long"), name))
        return tuple(
            Group(
                name=name,
                control=stats_of(self._answers[name]["control"]),
                treatment=stats_of(self._answers[name]["treatment"]),
            )
            for name in names
        )


def stats_of(answers: Iterable[Observation]) -> WindowStats:
    """What some answers of one generation show."""
    window = ArmWindow(GROUP_WINDOW)
    for answer in answers:
        window.add(answer)
    return window.stats()
