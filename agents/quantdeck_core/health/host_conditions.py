"""What a reading says of the machine itself."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.fleet.cells import size
from quantdeck_core.health.condition import Condition
from quantdeck_core.protocol.host import HostSample, Temperature

_GIB = 1 << 30
STALLED_PERCENT, STALLED_NO_MORE_PERCENT = 10.0, 3.0
"""PSI full avg10: a tenth of the time nobody got anything done for want of memory."""
_SENSIBLE_C = range(40, 150)
"""Some chips tell limits of 0 or 65,000 C."""


def host_conditions(sample: HostSample, swap_growth: int | None) -> Iterator[Condition]:
    """All conditions of the machine.

    Args:
        swap_growth: bytes within the last minute; None where unknown.
    """
    for sensor in sample.temperatures:
        yield _hot(sensor)
    yield _throttled(sample)
    yield _stalled(sample)
    yield _little_memory(sample)
    yield _swapping(sample, swap_growth)
    yield _disk("state", sample.disk_free_bytes, sample.disk_total_bytes)
    yield _disk("models", sample.models_disk_free_bytes, sample.models_disk_total_bytes)


def limit_of(sensor: Temperature) -> float | None:
    """From where a sensor's chip calls itself hot; None where it does not say."""
    if sensor.high_c is not None and int(sensor.high_c) in _SENSIBLE_C:
        return sensor.high_c
    if sensor.critical_c is not None and int(sensor.critical_c) in _SENSIBLE_C:
        return sensor.critical_c - 5
    return None


def _hot(sensor: Temperature) -> Condition:
    limit = limit_of(sensor)
    return Condition(
        key=f"hot:sensor:{sensor.name}",
        bad=None if limit is None else sensor.c >= limit,
        good=None if limit is None else sensor.c < limit - 5,
        level="warn",
        text=f"{sensor.name} is at {sensor.c:.0f} C; its limit is {limit or 0:.0f} C",
        hint="Check fans, dust and the air around it; take load away if it stays.",
        over=f"{sensor.name} is at {sensor.c:.0f} C again",
        hold_s=10.0,
    )


def _throttled(sample: HostSample) -> Condition:
    reasons = sample.throttled
    power = "under-voltage" in (reasons or ())
    return Condition(
        key="throttled:cpu",
        bad=None if reasons is None else bool(reasons),
        good=None if reasons is None else not reasons,
        level="warn",
        text=f"the processor is slowed down: {', '.join(reasons or ())}",
        hint="Use a stronger power supply and a short cable." if power else "Give it a heat sink, a fan, or less load.",
        over="the processor is not slowed down any more",
        hold_s=5.0,
    )


def _stalled(sample: HostSample) -> Condition:
    percent = sample.memory_full_percent
    return Condition(
        key="memory:stalled",
        bad=None if percent is None else percent >= STALLED_PERCENT,
        good=None if percent is None else percent < STALLED_NO_MORE_PERCENT,
        level="warn",
        text=f"memory pressure: nothing runs for {percent or 0:.0f} % of the time because memory is short",
        hint="Stop an engine, or lower cache_ram_mib or max_model_len in its profile, before the kernel kills one.",
        over="memory pressure is over",
        hold_s=10.0,
    )


def _little_memory(sample: HostSample) -> Condition:
    available = sample.memory_total_bytes - sample.memory_used_bytes
    limit = min(sample.memory_total_bytes // 20, 4 * _GIB)
    known = sample.memory_total_bytes > 0
    return Condition(
        key="memory:available",
        bad=available < limit if known else None,
        good=available > limit * 1.5 if known else None,
        level="warn",
        text=f"only {size(available)} of {size(sample.memory_total_bytes)} RAM are available",
        hint="Stop an engine, or lower cache_ram_mib or max_model_len in its profile, before the kernel kills one.",
        over=f"{size(available)} RAM are available again",
        hold_s=10.0,
    )


def _swapping(sample: HostSample, growth: int | None) -> Condition:
    limit = max(1, min(sample.memory_total_bytes // 100, 256 << 20))
    return Condition(
        key="memory:swap",
        bad=None if growth is None else growth >= limit,
        good=None if growth is None else growth <= limit // 4,
        level="warn",
        text=f"swap grew by {size(growth)} within a minute; {size(sample.swap_used_bytes)} are in use",
        hint="An engine that swaps answers slowly: stop one, or give it less memory.",
        over="swap does not grow any more",
        hold_s=5.0,
    )


def _disk(which: str, free: int | None, total: int | None) -> Condition:
    limit = max(_GIB, min((total or 0) // 20, 10 * _GIB))
    hint = {
        "state": "Remove old logs from the state folder's disk: the agent cannot remember anything once it is full.",
        "models": "Remove checkpoints that no engine uses from the model root.",
    }[which]
    return Condition(
        key=f"disk:{which}",
        bad=None if free is None else free < limit,
        good=None if free is None else free > limit * 1.2,
        level="warn",
        text=f"the disk of the {which} folder has only {size(free)} left",
        hint=hint,
        over=f"the disk of the {which} folder has {size(free)} free again",
        hold_s=5.0,
    )
