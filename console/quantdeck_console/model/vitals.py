"""A machine in one line: how full, how busy and how hot it is."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_console.model.text import Line, Span, span, width_of
from quantdeck_core.fleet.cells import number, plural, whole_percent
from quantdeck_core.health.gpu_conditions import gpu_conditions
from quantdeck_core.health.host_conditions import host_conditions
from quantdeck_core.protocol.host import GpuSample, HostStatus


def vitals_line(status: HostStatus, width: int) -> Line:
    """``cpu 34%  ram 61%  8 GPUs 87% full, 94% busy, 65 C  disk 76%  tok/s 17k``; with a mark where it is bad."""
    sample = status.sample
    bad = {one.key for one in (*gpu_conditions(sample), *host_conditions(sample, None)) if one.bad}
    parts = [
        _part("cpu", f"{sample.cpu_percent:.0f}%", "throttled:cpu" in bad),
        _part("ram", whole_percent(sample.memory_used_bytes, sample.memory_total_bytes), "memory:available" in bad),
    ]
    if sample.gpus:
        hot = any(key.startswith(("hot:gpu", "throttled:gpu")) for key in bad)
        parts.append(_part(plural(len(sample.gpus), "GPU"), _gpus(sample.gpus), hot))
    if sample.lost_gpus:
        parts.append((Span(f"{plural(len(sample.lost_gpus), 'GPU')} LOST x", "fail"),))
    if sample.disk_total_bytes:
        used = sample.disk_total_bytes - sample.disk_free_bytes
        parts.append(_part("disk", whole_percent(used, sample.disk_total_bytes), "disk:state" in bad))
    rates = [engine.tokens_per_s for engine in status.engines if engine.tokens_per_s is not None]
    if rates:
        parts.append(_part("tok/s", number(sum(rates)), False))
    found: Line = ()
    for part in parts:
        longer = (*found, Span("  " if found else " "), *part)
        if width_of(longer) < width:
            found = longer
    return found


def _part(label: str, value: str, bad: bool) -> Line:
    return (Span(f"{label} ", "dim"), span(f"{value} !" if bad else value, "warn" if bad else ""))


def _gpus(gpus: Iterable[GpuSample]) -> str:
    used = sum(gpu.memory_used_bytes for gpu in gpus)
    total = sum(gpu.memory_total_bytes for gpu in gpus)
    busy = [gpu.utilization_percent for gpu in gpus if gpu.utilization_percent is not None]
    degrees = [gpu.temperature_c for gpu in gpus if gpu.temperature_c is not None]
    said = [f"{whole_percent(used, total)} full"]
    said += [f"{sum(busy) / len(busy):.0f}% busy"] if busy else []
    said += [f"{max(degrees)} C"] if degrees else []
    return ", ".join(said)
