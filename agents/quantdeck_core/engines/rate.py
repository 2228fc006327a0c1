"""Rates from totals."""

from __future__ import annotations


class Rate:
    """Increase per second of a total, over the last few readings."""

    def __init__(self, span_s: float = 3.0) -> None:
        self._span_s = span_s
        self._readings: list[tuple[float, float]] = []

    def add(self, now: float, total: float | None) -> float | None:
        """A reading at a monotonic time, seconds; None until two readings are there or where it is missing."""
        if total is None or (self._readings and total < self._readings[-1][1]):
            self._readings = []  # missing, or the engine started again from zero
        if total is None:
            return None
        self._readings.append((now, total))
        while len(self._readings) > 2 and self._readings[1][0] < now - self._span_s:
            self._readings.pop(0)
        (first, before), (last, after) = self._readings[0], self._readings[-1]
        return (after - before) / (last - first) if last > first else None
