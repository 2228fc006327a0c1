"""The last minutes of a host, from its agent's history: which series, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quantdeck_console.model.asked import Asked
from quantdeck_core.fleet.cells import age
from quantdeck_core.protocol.history import HistoryAnswer, SeriesPoints
from quantdeck_core.protocol.host import HostStatus

SPAN_S, STEP_S = 600, 15
"""So far back, a point for so many seconds."""
ASKED_EVERY_S = 30.0
_OLD_S = 2.5 * ASKED_EVERY_S

Values = tuple[float | None, ...]


class Trend(NamedTuple):
    """Means of steps, oldest first, None where nothing was read, and the value that is drawn as full height."""

    values: Values
    top: float


class Trends(NamedTuple):
    """What is known of the last minutes; None where there is no history of it.

    Attributes:
        note: why there is none, or that it is not new; empty where all is well or nothing was answered yet.
    """

    cpu: Trend | None = None
    memory: Trend | None = None
    gpu_memory: Trend | None = None
    tokens: Trend | None = None
    note: str = ""


NO_TRENDS = Trends()


def series_of(status: HostStatus) -> tuple[str, ...]:
    """The series that `trends` needs."""
    return (
        "host/cpu_percent",
        "host/memory_used_bytes",
        *(_gpu(gpu.index) for gpu in status.sample.gpus),
        *(_engine(engine.name) for engine in status.engines),
    )


def trends(asked: Asked[HistoryAnswer], status: HostStatus, now: float) -> Trends:
    """From the last answer.

    Args:
        now: console time, UNIX seconds.
    """
    answer, sample = asked.value, status.sample
    if answer is None or asked.at is None:
        return Trends(note=f"no history: {asked.error.detail}" if asked.error else "")
    series = answer.series
    gpus = [series.get(_gpu(gpu.index)) for gpu in sample.gpus]
    engines = [one for engine in status.engines if (one := series.get(_engine(engine.name)))]
    tokens = _total([one.mean for one in engines], whole=False)
    return Trends(
        cpu=_trend(series.get("host/cpu_percent"), 100.0),
        memory=_trend(series.get("host/memory_used_bytes"), sample.memory_total_bytes),
        gpu_memory=_of(
            _total([one.mean if one else () for one in gpus], whole=True),
            sum(gpu.memory_total_bytes for gpu in sample.gpus),
        ),
        tokens=_of(tokens, max((value for value in tokens if value is not None), default=0.0)),
        note=f"history of {age(now - asked.at)} ago" if now - asked.at > _OLD_S else "",
    )


def _gpu(index: int) -> str:
    return f"gpu/{index}/memory_used_bytes"


def _engine(name: str) -> str:
    return f"engine/{name}/tokens_per_s"


def _trend(points: SeriesPoints | None, top: float) -> Trend | None:
    return _of(tuple(points.mean), top) if points else None


def _of(values: Values, top: float) -> Trend | None:
    return Trend(values, top) if any(value is not None for value in values) else None


def _total(series: Sequence[Iterable[float | None]], *, whole: bool) -> Values:
    """Sums by step.

    Args:
        whole: a step in which one of them is missing has no sum: less memory would look freed.
    """
    sums = []
    for step in zip(*series, strict=False):
        known = [value for value in step if value is not None]
        sums.append(sum(known) if known and (len(known) == len(step) or not whole) else None)
    return tuple(sums)
