"""A condition that begins and ends, and when that is told: once at each edge, and never for a missing value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading says of one thing.

    Attributes:
        key: the same in every reading, e.g. `hot:gpu:GPU-5a1b`.
        bad: beyond the limit; None where the value is missing.
        good: well within it. Between the two nothing changes (hysteresis).
        hold_s: how long it must be bad to be told, or good to be over.
    """

    key: str
    bad: bool | None
    good: bool | None
    level: Literal["warn", "fail"]
    text: str
    hint: str
    over: str
    hold_s: float = 0.0


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that began, or (`level` is `ok`) ended."""

    key: str
    level: Literal["warn", "fail", "ok"]
    text: str
    hint: str = ""


class Episode(msgspec.Struct, frozen=True):
    """Where a condition stands.

    Attributes:
        since: when the change that is not told yet began, seconds; None where there is none.
    """

    raised: bool = False
    since: float | None = None


Episodes = Mapping[str, Episode]
NO_EPISODES: Episodes = MappingProxyType({})


def follow(episodes: Episodes, conditions: Iterable[Condition], t: float) -> tuple[Episodes, tuple[Edge, ...]]:
    """The episodes after a reading at a time, seconds, and what is to be told.

    A condition that a reading does not mention stays as it is while it is raised, and is forgotten otherwise.
    """
    after = {key: Episode(raised=True) for key, episode in episodes.items() if episode.raised}
    edges = []
    for condition in conditions:
        before = episodes.get(condition.key, Episode())
        episode = _next(before, condition, t)
        if episode.raised or episode.since is not None:
            after[condition.key] = episode
        else:
            after.pop(condition.key, None)
        if episode.raised and not before.raised:
            edges.append(Edge(key=condition.key, level=condition.level, text=condition.text, hint=condition.hint))
        elif before.raised and not episode.raised:
            edges.append(Edge(key=condition.key, level="ok", text=condition.over))
    return MappingProxyType(after), tuple(edges)


def _next(before: Episode, condition: Condition, t: float) -> Episode:
    changing = condition.good if before.raised else condition.bad
    if not changing:
        return Episode(raised=before.raised)
    # A clock that was set back begins the wait again.
    since = t if before.since is None or before.since > t else before.since
    if t - since >= condition.hold_s:
        return Episode(raised=not before.raised)
    return Episode(raised=before.raised, since=since)
