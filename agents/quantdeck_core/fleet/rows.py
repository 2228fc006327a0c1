"""A row per host, worst first: numbers only, nothing about how they look."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

import msgspec

from quantdeck_core.fleet.health import (
    AGE_SHOWN_AFTER_S,
    WORDS,
    WORST_FIRST,
    Level,
    experiment_health,
    health,
    heard_age,
)
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.fleet.words import has_words
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import HostSample, HostStatus

Quality = Literal["ok", "warn", "fail", "unknown"]


class Memory(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The memory that models live in: all GPUs together, or RAM where there is none.

    Attributes:
        gpus: how many; 0 means that the numbers are RAM.
    """

    gpus: int
    used_bytes: int
    total_bytes: int


class FleetRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One host, as the fleet pane and `quantdeck fleet` show it; values are None while stale or unknown.

    Attributes:
        why: the sentence behind the status.
        quality: the worst of its experiments, None without any.
        age_s: whole seconds since the host was heard, None while that is current.
    """

    name: str
    level: Level
    why: str
    experiment: str = ""
    memory: Memory | None = None
    tokens_per_s: float | None = None
    running: int | None = None
    waiting: int | None = None
    ttft_p95_ms: float | None = None
    quality: Quality | None = None
    age_s: int | None = None


def fleet_rows(state: FleetState, now: float) -> list[FleetRow]:
    """A row per host, worst first, by name within."""
    return sorted((host_row(view, now) for view in state.hosts.values()), key=worst_first)


def worst_first(row: FleetRow) -> tuple[int, list[tuple[int, str]]]:
    """A key to sort by: gpu-9 comes before gpu-10."""
    parts = re.split(r"(\d+)", row.name)
    return WORST_FIRST.index(row.level), [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def level_counts(rows: list[FleetRow]) -> dict[Level, int]:
    """How many hosts there are of each level, worst first, without zeros."""
    counts = Counter(row.level for row in rows)
    return {level: counts[level] for level in WORST_FIRST if counts[level]}


def matches(row: FleetRow, pattern: str) -> bool:
    """Whether a row passes a filter by its name, status or sentence."""
    return has_words(f"{row.name} {WORDS[row.level]} {row.experiment} {row.why}", pattern)


def host_row(view: HostView, now: float) -> FleetRow:
    """The row of one host."""
    finding = health(view, now)
    silent = heard_age(view, now)
    row = FleetRow(
        name=view.name,
        level=finding.level,
        why=finding.text,
        experiment=finding.experiment,
        age_s=int(silent) if silent is not None and silent > AGE_SHOWN_AFTER_S else None,
    )
    if view.status is None or view.link.state != "connected" or finding.level == "stale":
        return row
    return _with_values(row, view.status)


def _with_values(row: FleetRow, status: HostStatus) -> FleetRow:
    engines = status.engines
    return msgspec.structs.replace(
        row,
        memory=memory(status.sample),
        tokens_per_s=_total([engine.tokens_per_s for engine in engines]),
        running=_whole([engine.running for engine in engines]),
        waiting=_whole([engine.waiting for engine in engines]),
        ttft_p95_ms=max((ms for one in status.experiments for ms in _ttfts(one)), default=None),
        quality=_worst([quality(one) for one in status.experiments]),
    )


def memory(sample: HostSample) -> Memory:
    """GPU memory, or RAM on a host without a GPU."""
    if not sample.gpus:
        return Memory(gpus=0, used_bytes=sample.memory_used_bytes, total_bytes=sample.memory_total_bytes)
    return Memory(
        gpus=len(sample.gpus),
        used_bytes=sum(gpu.memory_used_bytes for gpu in sample.gpus),
        total_bytes=sum(gpu.memory_total_bytes for gpu in sample.gpus),
    )


def quality(experiment: ExperimentStatus) -> Quality:
    """The light of one experiment: unknown without enough answers."""
    level = experiment_health(experiment).level
    if level in ("fail", "warn"):
        return "fail" if level == "fail" else "warn"
    return "unknown" if experiment.verdict.kind == "inconclusive" else "ok"


def _ttfts(experiment: ExperimentStatus) -> list[float]:
    """p95 of the arms that have users."""
    share = experiment.state.weight_bp
    arms = [experiment.control] * (share < 10_000) + [experiment.treatment] * (share > 0)
    return [arm.ttft_p95_ms for arm in arms if arm.ttft_p95_ms is not None]


def _worst(lights: list[Quality]) -> Quality | None:
    order: tuple[Quality, ...] = ("fail", "warn", "unknown", "ok")
    return min(lights, key=order.index) if lights else None


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _whole(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
