"""Counters of several processes as one: sums, for whatever is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from quantdeck_core.protocol.gateway import Histogram, RouteStatus
from quantdeck_gateway.messages import Report

SETTINGS = frozenset({"weight_bp", "effective_weight_bp", "generation", "revision"})
"""Numbers that are the same everywhere, where they are not about to be."""

_GREATEST = ("_rung", "_latched", "_lapsed")
_WHETHER = ("_up", "_in_rotation")
"""Ends of the names of gauges that are 1 or 0."""


def total_report(reports: Sequence[Report]) -> Report:
    """What all have counted; the first one says what holds."""
    routes: tuple[RouteStatus, ...] = _named([report.routes for report in reports])
    return Report(
        routes,
        tee_dropped=sum(report.tee_dropped for report in reports),
        tee_sampled_out=sum(report.tee_sampled_out for report in reports),
    )


def _named(groups: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Things that have a name, those with the same name as one, in the order in which they are first seen."""
    by_name: dict[str, list[Any]] = {}
    for group in groups:
        for one in group:
            by_name.setdefault(one.name, []).append(one)
    return tuple(_total(same) for same in by_name.values())


def _total(same: Sequence[Any]) -> Any:
    """One struct for several of its kind."""
    first = same[0]
    if len(same) == 1:
        return first
    names = first.__struct_fields__
    return type(first)(**{name: _value(name, [getattr(one, name) for one in same]) for name in names})


def _value(name: str, values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, bool):
        return any(values)
    if name == "rung":
        return max(values)
    if isinstance(first, int | float) and name not in SETTINGS:
        return sum(value for value in values if value is not None)
    if isinstance(first, str):
        return next(filter(None, values), "")
    if isinstance(first, Histogram):
        return _total_histogram([value for value in values if value is not None])
    if isinstance(first, msgspec.Struct):
        return _total([value for value in values if value is not None])
    if isinstance(first, tuple) and any(values):
        return _named(values)
    return first


def _total_histogram(same: Sequence[Histogram]) -> Histogram:
    """Only those in the first one's buckets: a predecessor of another version may have others."""
    alike = [one for one in same if one.bounds_s == same[0].bounds_s]
    return Histogram(
        bounds_s=same[0].bounds_s,
        counts=tuple(map(sum, zip(*(one.counts for one in alike), strict=True))),
        total_s=sum(one.total_s for one in alike),
    )


def total_metrics(texts: Sequence[str]) -> str:
    """Texts in Prometheus' format as one: counters, histograms and gauges that count are added up.

    A gauge whose name ends in `_bp` or `_info` is a setting: the first one says what holds. Of one that
    is 1 or 0 the least counts, of one that ends in `_rung`, `_latched` or
    `_lapsed` the greatest.
    """
    if len(texts) == 1:
        return texts[0]
    families: dict[str, dict[str, float | None]] = {}
    for text in texts:
        family: dict[str, float | None] = {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = families.setdefault(line, {})
            elif line.startswith("#"):
                family[line] = None
            else:
                key, _, value = line.rpartition(" ")
                family[key] = _combined(key, family.get(key), _number(value))
    lines = []
    for head, family in families.items():
        lines.append(head)
        lines += [key if value is None else f"{key} {_text(value)}" for key, value in family.items()]
    return "\n".join(lines) + "\n"


def _combined(key: str, one: float | None, other: float) -> float:
    name = key.partition("{")[0]
    if one is None:
        return other
    if name.endswith(("_bp", "_info")):
        return one
    if name.endswith(_GREATEST):
        return max(one, other)
    return min(one, other) if name.endswith(_WHETHER) else one + other


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}"
