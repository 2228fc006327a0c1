"""Intervals for shares and means, so that nobody reads a trend into twelve answers."""

from __future__ import annotations

import math

Z95 = 1.96


def share_interval(count: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson, JASA 1927): honest for small counts and near 0. (0, 1) without data."""
    if total <= 0:
        return (0.0, 1.0)
    share, zz = count / total, z * z
    centre = (share + zz / (2 * total)) / (1 + zz / total)
    half = z / (1 + zz / total) * math.sqrt(share * (1 - share) / total + zz / (4 * total * total))
    return (max(0.0, centre - half), min(1.0, centre + half))


def mean_interval(mean: float, sd: float, total: int, z: float = Z95) -> tuple[float, float]:
    """Normal interval of a mean; infinitely wide for fewer than two values."""
    if total < 2:
        return (-math.inf, math.inf)
    half = z * sd / math.sqrt(total)
    return (mean - half, mean + half)
