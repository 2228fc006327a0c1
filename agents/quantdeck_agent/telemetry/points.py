"""Many values as one point."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Point(NamedTuple):
    """What is kept of the values in a step of time."""

    least: float
    mean: float
    most: float
    last: float
    n: int


def point(values: Iterable[float]) -> Point | None:
    """Of the values that are there (not NaN); None without any."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    return Point(min(known), math.fsum(known) / len(known), max(known), known[-1], len(known))


def merged(points: Iterable[Point]) -> Point | None:
    """Points of consecutive steps as one."""
    points = list(points)
    if not points:
        return None
    count = sum(one.n for one in points)
    return Point(
        min(one.least for one in points),
        math.fsum(one.mean * one.n for one in points) / count,
        max(one.most for one in points),
        points[-1].last,
        count,
    )
