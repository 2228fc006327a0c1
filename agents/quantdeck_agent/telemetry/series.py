"""Names of all series of the history, units last: `host/...`, `gpu/INDEX/...`, `engine/NAME/...`, `gateway/...`."""

from __future__ import annotations

from collections.abc import Mapping

from quantdeck_core.engines.latency import Percentiles
from quantdeck_core.engines.reading import EngineReading
from quantdeck_core.protocol.host import GatewayView, GpuSample, HostSample

HOST = {
    "cpu_percent": "use of all cores",
    "load_1m": "load average",
    "memory_used_bytes": "RAM that is not available",
    "memory_full_percent": "time that everything waited for memory (PSI, 10 s)",
    "swap_used_bytes": "swap",
    "disk_free_bytes": "free on the state folder's disk",
    "models_disk_free_bytes": "free on the models' disk, where it is another one",
    "rx_bytes_per_s": "received over the network",
    "tx_bytes_per_s": "sent over the network",
    "temperature_c": "the hottest sensor",
    "cpu_mhz": "the fastest core's clock",
}
GPU = {
    "utilization_percent": "time that a kernel ran",
    "memory_used_bytes": "memory of processes",
    "temperature_c": "temperature",
    "power_w": "power",
    "sm_clock_mhz": "clock of the multiprocessors",
    "throttled": "1 while its hardware holds it back (heat, power brake, power cap), else 0",
}
ENGINE = {
    "running": "requests being answered",
    "waiting": "requests that wait for a place",
    "kv_usage": "share of the KV cache, 0 to 1",
    "tokens_per_s": "generated tokens",
    "prompt_tokens_per_s": "prompt tokens",
    "preemptions": "total since its start",
    "rss_bytes": "resident memory",
    "ttft_p50_ms": "time to first token, median of the last minute",
    "ttft_p95_ms": "its 95th percentile",
    "ttft_p99_ms": "its 99th percentile",
    "itl_p50_ms": "time between tokens, median of the last minute",
    "itl_p95_ms": "its 95th percentile",
    "e2e_p50_ms": "whole requests, median of the last minute",
    "e2e_p95_ms": "their 95th percentile",
}


def host_series(sample: HostSample) -> dict[str, float | None]:
    """The machine and its GPUs."""
    values: dict[str, float | None] = {
        f"host/{name}": getattr(sample, name) for name in HOST if name != "temperature_c"
    }
    values["host/temperature_c"] = sample.temperatures[0].c if sample.temperatures else None
    for gpu in sample.gpus:
        values |= _gpu(gpu)
    for lost in sample.lost_gpus:
        values |= {f"gpu/{lost.index}/{name}": None for name in GPU}
    return values


def engine_series(name: str, reading: EngineReading) -> dict[str, float | None]:
    """One engine."""
    metrics, latencies = reading.metrics, reading.latencies
    ttft, itl, e2e = (_percentiles(one) for one in (latencies.ttft, latencies.itl, latencies.e2e))
    values: Mapping[str, float | None] = {
        "running": metrics.running,
        "waiting": metrics.waiting,
        "kv_usage": metrics.kv_usage,
        "tokens_per_s": reading.tokens_per_s,
        "prompt_tokens_per_s": reading.prompt_tokens_per_s,
        "preemptions": metrics.preemptions,
        "rss_bytes": reading.rss_bytes,
        "ttft_p50_ms": ttft[0],
        "ttft_p95_ms": ttft[1],
        "ttft_p99_ms": ttft[2],
        "itl_p50_ms": itl[0],
        "itl_p95_ms": itl[1],
        "e2e_p50_ms": e2e[0],
        "e2e_p95_ms": e2e[1],
    }
    return {f"engine/{name}/{key}": value for key, value in values.items()}


def gateway_series(view: GatewayView) -> dict[str, float | None]:
    """The gateway; nothing is known of one that does not answer."""
    return {
        "gateway/requests_per_s": view.rps if view.running else None,
        "gateway/in_flight": view.in_flight if view.running else None,
    }


def _gpu(gpu: GpuSample) -> dict[str, float | None]:
    values: dict[str, float | None] = {
        "utilization_percent": gpu.utilization_percent,
        "memory_used_bytes": gpu.memory_used_bytes,
        "temperature_c": gpu.temperature_c,
        "power_w": gpu.power_w,
        "sm_clock_mhz": gpu.clocks.sm_mhz,
        "throttled": None if gpu.throttle is None else float(bool(gpu.throttle)),
    }
    return {f"gpu/{gpu.index}/{name}": value for name, value in values.items()}


def _percentiles(one: Percentiles | None) -> tuple[float | None, float | None, float | None]:
    return (one.p50_ms, one.p95_ms, one.p99_ms) if one else (None, None, None)
