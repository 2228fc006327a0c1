"""What engines' Prometheus endpoints say, in one vocabulary."""

from __future__ import annotations

import math

import msgspec


class EngineMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One scrape; None where the engine does not tell.

    Attributes:
        running: requests being answered; `waiting` wait for a place.
        prompt_tokens, generated_tokens: totals since the engine started.
    """

    running: int | None = None
    waiting: int | None = None
    prompt_tokens: float | None = None
    generated_tokens: float | None = None


def parse_llamacpp(text: str) -> EngineMetrics:
    """Read llama.cpp's `/metrics`. Its averaged gauges reset on every scrape, so only totals are used."""
    values = _values(text)

    def whole(name: str) -> int | None:
        value = values.get(name)
        return None if value is None else int(value)

    return EngineMetrics(
        running=whole("llamacpp:requests_processing"),
        waiting=whole("llamacpp:requests_deferred"),
        prompt_tokens=values.get("llamacpp:prompt_tokens_total"),
        generated_tokens=values.get("llamacpp:tokens_predicted_total"),
    )


def _values(text: str) -> dict[str, float]:
    values = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, rest = line.partition(" ")
        try:
            value = float(rest.split()[0])
        except (IndexError, ValueError):
            continue
        if math.isfinite(value):
            values[name.partition("{")[0]] = value
    return values


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
