"""Percentiles of values that were measured."""

from __future__ import annotations

from collections.abc import Iterable


def percentile(values: Iterable[float], percent: int) -> float | None:
    """Nearest-rank percentile, one of the values; None without any."""
    ordered = sorted(values)
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1] if ordered else None
