"""The agent's own metrics page, for Prometheus. Base units: seconds, bytes, ratios of 1, Celsius, watts, hertz."""

from __future__ import annotations

from collections.abc import Mapping

from quantdeck_agent.telemetry.exposition import Exposition
from quantdeck_core.engines.reading import EngineReading
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import GatewayView, GpuSample, HostSample, HostStatus, LostGpu

_MHZ = 1e6


def metrics_page(status: HostStatus, readings: Mapping[str, EngineReading]) -> str:
    """Everything that the agent measures.

    Args:
        readings: by engine.
    """
    page = Exposition("quantdeck_")
    page.add("agent_info", "gauge", "The agent.", 1, {"version": status.agent_version, "host": status.name})
    _host(page, status.sample)
    for gpu in status.sample.gpus:
        _gpu(page, gpu)
        _gpu_up(page, gpu, 1)
    for lost in status.sample.lost_gpus:
        _gpu_up(page, lost, 0)
    for engine in status.engines:
        _engine(page, engine, readings.get(engine.name, EngineReading()))
    if status.gateway:
        _gateway(page, status.gateway)
    for experiment in status.experiments:
        _experiment(page, experiment)
    return page.text()


def _host(page: Exposition, sample: HostSample) -> None:
    def add(name: str, text: str, value: float | None, **labels: str) -> None:
        page.add(f"host_{name}", "gauge", text, value, labels)

    add("cpu_ratio", "Use of all cores.", sample.cpu_percent / 100)
    add("cpus", "Logical cores.", sample.cpu_count)
    add("load1", "Load average over a minute.", sample.load_1m)
    add("cpu_frequency_hertz", "Clock of the fastest core.", _scaled(sample.cpu_mhz, _MHZ))
    add("cpu_frequency_max_hertz", "The highest clock of the hardware.", _scaled(sample.cpu_max_mhz, _MHZ))
    add("memory_used_bytes", "RAM that is not available.", sample.memory_used_bytes)
    add("memory_total_bytes", "RAM.", sample.memory_total_bytes)
    add("swap_used_bytes", "Swap in use.", sample.swap_used_bytes)
    add("swap_total_bytes", "Swap.", sample.swap_total_bytes)
    pressure = "Share of the last 10 s in which tasks waited for memory (PSI)."
    add("memory_pressure_ratio", pressure, _scaled(sample.memory_some_percent, 0.01), kind="some")
    add("memory_pressure_ratio", pressure, _scaled(sample.memory_full_percent, 0.01), kind="full")
    add("disk_free_bytes", "Free on a disk.", sample.disk_free_bytes, disk="state")
    add("disk_free_bytes", "Free on a disk.", sample.models_disk_free_bytes, disk="models")
    add("disk_total_bytes", "Size of a disk.", sample.disk_total_bytes, disk="state")
    add("disk_total_bytes", "Size of a disk.", sample.models_disk_total_bytes, disk="models")
    add("network_receive_bytes_per_second", "Received over the network.", sample.rx_bytes_per_s)
    add("network_transmit_bytes_per_second", "Sent over the network.", sample.tx_bytes_per_s)
    for sensor in sample.temperatures:
        add("temperature_celsius", "The hottest sensor of a chip.", sensor.c, sensor=sensor.name)
    add("fan_rpm", "The fastest fan.", sample.fan_rpm)
    add("throttled", "Whether the processor is held back.", _flag(sample.throttled))


def _gpu_up(page: Exposition, gpu: GpuSample | LostGpu, up: int) -> None:
    labels = {"gpu": str(gpu.index), "uuid": gpu.uuid}
    page.add("gpu_up", "gauge", "Whether a GPU answers.", up, labels)
    page.add("gpu_info", "gauge", "A GPU.", 1, {**labels, "name": gpu.name, "bus_id": gpu.bus_id})


def _gpu(page: Exposition, gpu: GpuSample) -> None:
    labels = {"gpu": str(gpu.index), "uuid": gpu.uuid}

    def add(name: str, text: str, value: float | None, **more: str) -> None:
        page.add(f"gpu_{name}", "gauge", text, value, {**labels, **more})

    add("memory_used_bytes", "GPU memory of processes.", gpu.memory_used_bytes)
    add("memory_reserved_bytes", "GPU memory that the driver keeps.", gpu.memory_reserved_bytes)
    add("memory_total_bytes", "GPU memory.", gpu.memory_total_bytes)
    add("utilization_ratio", "Share of time that a kernel ran.", _scaled(gpu.utilization_percent, 0.01))
    busy = "Share of time that memory was read or written."
    add("memory_utilization_ratio", busy, _scaled(gpu.memory_utilization_percent, 0.01))
    add("temperature_celsius", "Temperature.", gpu.temperature_c)
    add("slowdown_celsius", "It slows down from here.", gpu.slowdown_c)
    add("power_watts", "Power.", gpu.power_w)
    add("power_limit_watts", "Power limit.", gpu.power_limit_w)
    add("sm_frequency_hertz", "Clock of the multiprocessors.", _scaled(gpu.clocks.sm_mhz, _MHZ))
    add("sm_frequency_max_hertz", "Their highest clock.", _scaled(gpu.clocks.max_sm_mhz, _MHZ))
    add("memory_frequency_hertz", "Clock of the memory.", _scaled(gpu.clocks.memory_mhz, _MHZ))
    errors = "Memory errors since the driver was loaded."
    page.add("gpu_ecc_errors_total", "counter", errors, gpu.ecc.corrected, {**labels, "kind": "corrected"})
    page.add("gpu_ecc_errors_total", "counter", errors, gpu.ecc.uncorrected, {**labels, "kind": "uncorrected"})
    repair = None if gpu.ecc.repair_pending is None else float(gpu.ecc.repair_pending)
    add("repair_pending", "Whether broken memory waits for a reset.", repair)
    for reason in gpu.throttle or ():
        add("throttled", "Why its clocks are held back now.", 1, reason=reason)
    add("pcie_generation", "Of the link now.", gpu.pcie.generation)
    add("pcie_width", "Lanes of the link now.", gpu.pcie.width)
    add("pcie_receive_bytes_per_second", "Over PCIe.", gpu.pcie.rx_bytes_per_s)
    add("pcie_transmit_bytes_per_second", "Over PCIe.", gpu.pcie.tx_bytes_per_s)
    add("nvlinks_active", "Active NVLinks.", gpu.nvlinks)
    for process in gpu.processes or ():
        add("process_memory_bytes", "GPU memory of a process.", process.memory_bytes, pid=str(process.pid))
    for one in gpu.mig or ():
        add("mig_memory_used_bytes", "Memory of a MIG device.", one.memory_used_bytes, mig=one.uuid or one.name)
        add("mig_memory_total_bytes", "Memory of a MIG device.", one.memory_total_bytes, mig=one.uuid or one.name)


def _engine(page: Exposition, engine: EngineStatus, reading: EngineReading) -> None:
    labels = {"engine": engine.name}
    metrics, latencies = reading.metrics, reading.latencies

    def add(name: str, text: str, value: float | None, **more: str) -> None:
        page.add(f"engine_{name}", "gauge", text, value, {**labels, **more})

    def count(name: str, text: str, value: float | None, **more: str) -> None:
        page.add(f"engine_{name}", "counter", text, value, {**labels, **more})

    info = {"kind": engine.engine, "model": engine.model, "sha256": engine.model_sha256, "profile": engine.profile}
    add("info", "What runs under a name.", 1, **info)
    add("ready", "Whether it answers.", float(engine.state == "ready"))
    add("state", "Its present state.", 1, state=engine.state)
    add("generation", "How many processes have served under its name.", engine.generation)
    add("start_time_seconds", "UNIX time of its start.", engine.started_at)
    add("memory_resident_bytes", "Of all its processes.", reading.rss_bytes)
    add("requests_running", "Requests being answered.", metrics.running)
    add("requests_waiting", "Requests that wait for a place.", metrics.waiting)
    add("kv_cache_usage_ratio", "Share of the KV cache in use.", metrics.kv_usage)
    count("prompt_tokens_total", "Prompt tokens.", metrics.prompt_tokens)
    count("generated_tokens_total", "Generated tokens.", metrics.generated_tokens)
    count("preemptions_total", "Requests thrown out of the KV cache.", metrics.preemptions)
    for reason, ended in sorted((metrics.finished or {}).items()):
        count("requests_finished_total", "Requests that ended.", ended, reason=reason)
    for name, text, histogram in (
        ("engine_ttft_seconds", "Time to first token.", metrics.ttft),
        ("engine_itl_seconds", "Time between tokens.", metrics.itl),
        ("engine_e2e_seconds", "Whole requests.", metrics.e2e),
        ("engine_queue_seconds", "Waiting for a place.", metrics.queue),
    ):
        if histogram is not None:
            page.histogram(name, text, histogram.bounds, histogram.counts, histogram.sum, labels)
    if latencies.ttft is not None:
        recent = "95th percentile of the last minute."
        add("ttft_p95_recent_seconds", recent, latencies.ttft.p95_ms / 1000)


def _gateway(page: Exposition, view: GatewayView) -> None:
    """As the agent sees it; the gateway has a page of its own with more."""

    def add(name: str, text: str, value: float | None) -> None:
        page.add(f"agent_gateway_{name}", "gauge", text, value)

    add("up", "Whether the gateway answers its control socket.", float(view.running))
    if not view.running:
        return
    add("requests_per_second", "Requests over the last seconds.", view.rps)
    add("in_flight", "Requests being answered.", view.in_flight)
    rungs = "Of the arms: 0 normal, 1 queue, 2 cap, 3 spill, 4 shed; the highest."
    add("overload_rung", rungs, max(view.rungs.values(), default=0))
    add("revision", "Of its config.", view.revision)
    add("memory_resident_bytes", "Of the gateway.", view.rss_bytes)
    dropped = "Answers that were not judged because the analyser was behind."
    page.add("agent_gateway_tee_dropped_total", "counter", dropped, view.tee_dropped)


def _experiment(page: Exposition, experiment: ExperimentStatus) -> None:
    labels = {"experiment": experiment.name}
    state = experiment.state
    page.add("experiment_weight_ratio", "gauge", "Share of users on the treatment.", state.weight_bp / BUCKETS, labels)
    page.add("experiment_stage", "gauge", "Its present stage.", 1, {**labels, "stage": str(state.stage)})
    page.add("experiment_latched", "gauge", "Whether it was rolled back and stays so.", float(state.latched), labels)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _flag(reasons: tuple[str, ...] | None) -> float | None:
    return None if reasons is None else float(bool(reasons))
