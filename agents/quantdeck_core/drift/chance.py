"""Whether counts in a window can be chance: bounds for the fixed limits, which alone would cry wolf on 50 answers."""

from __future__ import annotations

import math

HEALTHY_SHARE = 0.03
"""A healthy model loops in less than 2 to 3 % of its answers, says the lesson."""
BREACH_NATS = 20.0
"""e^-20 is 2e-9 for each look by Chernoff's bound, and in truth about 1e-10."""
WATCH_NATS = 14.0


def excess_nats(hits: int, total: int, share: float) -> float:
    """Chernoff's exponent of so many hits or more where each has the probability `share`; 0 where there are not more.

    The chance of it is at most exp(-nats) (Chernoff, Annals of Mathematical Statistics 1952).
    """
    if total <= 0 or hits <= share * total:
        return 0.0
    return total * _divergence(hits / total, min(max(share, 1e-9), 1.0 - 1e-9))


def apart_nats(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """Log-likelihood ratio of two shares against one in common; 0 where the first is not the larger."""
    if total <= 0 or other_total <= 0 or hits * other_total <= other_hits * total:
        return 0.0
    common = min(max((hits + other_hits) / (total + other_total), 1e-9), 1.0 - 1e-9)
    return total * _divergence(hits / total, common) + other_total * _divergence(other_hits / other_total, common)


def means_apart_nats(mean: float, sd: float, total: int, other: float, other_sd: float, other_total: int) -> float:
    """z squared over 2 of two means."""
    if total < 2 or other_total < 2:
        return 0.0
    variance = sd * sd / total + other_sd * other_sd / other_total
    return math.inf if variance <= 0 else (mean - other) ** 2 / (2.0 * variance)


def _divergence(one: float, other: float) -> float:
    nats = 0.0
    if one > 0.0:
        nats += one * math.log(one / other)
    if one < 1.0:
        nats += (1.0 - one) * math.log((1.0 - one) / (1.0 - other))
    return nats
