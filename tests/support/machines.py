"""Whole machines as their agents would report them: a rack server with eight GPUs, calm, busy and in trouble."""

from __future__ import annotations

import math
from typing import Any

from quantdeck_console.link.history_client import MOST_SERIES
from quantdeck_console.model.trends import SPAN_S, STEP_S, series_of
from quantdeck_core.engines.operation import enter, finish, steps_of
from quantdeck_core.engines.started import Start
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.history import HistoryAnswer, SeriesList, SeriesPoints
from quantdeck_core.protocol.host import (
    Alarm,
    Clocks,
    Ecc,
    GpuProcess,
    GpuSample,
    HostSample,
    HostStatus,
    LostGpu,
    MigDevice,
    Temperature,
)
from quantdeck_core.protocol.operation import Operation
from support.fake_link import FakeLink
from support.fleets import GIB, NOW, arm, engine, experiment, failed_engine, gateway, replace, sample

NAMES = ("chat-bf16", "chat-awq", "code-fp8", "code-int4", "embed", "guard", "long-ctx", "rerank", "tools", "vision")


def machine(**changes: Any) -> HostSample:
    """A server that tells everything."""
    reading = sample(
        cpu_count=96,
        load_1m=31.4,
        memory_used_bytes=612 * GIB,
        memory_total_bytes=1007 * GIB,
        disk_free_bytes=212 * GIB,
        disk_total_bytes=880 * GIB,
        models_disk_free_bytes=3_400 * GIB,
        models_disk_total_bytes=14_000 * GIB,
        swap_used_bytes=0,
        swap_total_bytes=8 * GIB,
        rx_bytes_per_s=41_200_000.0,
        tx_bytes_per_s=88_100_000.0,
        temperatures=(
            Temperature(name="k10temp", c=71.0, critical_c=95.0),
            Temperature(name="nvme", c=49.0, high_c=82.0),
        ),
        fan_rpm=11_400,
        throttled=(),
        cpu_mhz=3_390.0,
        cpu_max_mhz=3_700.0,
        memory_some_percent=0.4,
        memory_full_percent=0.0,
        gpu_note="",
        driver="580.95.05",
        gpus=tuple(gpu(index) for index in range(8)),
    )
    return replace(reading, **changes)


def gpu(index: int, **changes: Any) -> GpuSample:
    """A loaded H100 with one engine's worker on it."""
    reading = GpuSample(
        index=index,
        name="NVIDIA H100 80GB HBM3",
        uuid=f"GPU-{index}",
        memory_used_bytes=(66 + index) * GIB,
        memory_total_bytes=80 * GIB,
        utilization_percent=90 + index,
        temperature_c=58 + index,
        slowdown_c=87,
        power_w=561.0 + 7 * index,
        power_limit_w=700.0,
        throttle=(),
        clocks=Clocks(1755, 1980, 2619),
        ecc=Ecc(0, 0, False),
        processes=(GpuProcess(41_100 + index, (65 + index) * GIB, 41_000 + index),),
    )
    return replace(reading, **changes)


def engines(count: int = 10) -> tuple[EngineStatus, ...]:
    """vLLM engines, one a GPU."""
    return tuple(
        engine(
            name,
            engine="vllm",
            version="0.32.0",
            served_name=name.partition("-")[0],
            profile=f"{name}-h100",
            model=f"Meta-Llama-3.1-8B-{name.upper()}",
            pid=41_000 + index,
            generation=index % 4 + 1,
            gpus=(index % 8,),
            planned_bytes=68 * GIB,
            measured_bytes=(65 + index % 8) * GIB,
            rss_bytes=(3 + index) * GIB,
            kv_usage=0.11 + 0.07 * index,
            running=12 * index,
            waiting=3 if index == 7 else 0,
            tokens_per_s=310.0 * (index + 1),
            prompt_tokens_per_s=2_100.0,
            ttft_p95_ms=80.0 + 31 * index,
            itl_p95_ms=21.0,
        )
        for index, name in enumerate(NAMES[:count])
    )


def restarting(name: str = "code-int4") -> Operation:
    """A restart, half way through its load."""
    begun = Operation(
        id="op-17", kind="restart", engine=name, by="ada", at=NOW - 41, replicas=(0,), generation=5,
        steps=steps_of("restart"),
    )  # fmt: skip
    return enter(begun, "load", NOW - 33, "loading weights, 5 of 11", 0.45)


def stopped(name: str = "old-gguf") -> Operation:
    """A stop that was done a minute ago."""
    begun = Operation(id="op-16", kind="stop", engine=name, by="ada", at=NOW - 70, steps=steps_of("stop"))
    return replace(finish(begun, NOW - 63.8), steps=())


def arms(weight_bp: int = 3_000, **changes: Any) -> Any:
    """An experiment of the first two engines."""
    return experiment(
        "chat_awq_v2",
        weight_bp,
        control=arm("control", 500, profile="chat-bf16-h100", engines=("chat-bf16.1",)),
        treatment=arm("treatment", 131, words=40.0, profile="chat-awq-h100", engines=("chat-awq.2",)),
        **changes,
    )


def server(**changes: Any) -> HostStatus:
    """Eight GPUs, ten engines, an experiment and an operation under way."""
    status = HostStatus(
        name="gpu-1",
        agent_version="0.1.0",
        sample=machine(),
        engines=engines(),
        operations=(stopped(), restarting()),
        gateway=gateway(listen="10.0.0.1:8088", rps=212.0, in_flight=131),
        experiments=(arms(),),
    )
    return replace(status, **changes)


def in_trouble() -> HostStatus:
    """A GPU is lost, one is too hot, one has broken memory, one is divided and shared with a stranger."""
    lost = LostGpu(index=3, name="NVIDIA H100 80GB HBM3", uuid="GPU-3", note="GPU is lost")
    gpus = [gpu(index) for index in range(8) if index != 3]
    gpus[2] = gpu(2, processes=(GpuProcess(41_102, 65 * GIB, 41_002), GpuProcess(993, 2 * GIB, None)))
    gpus[4] = gpu(5, temperature_c=86, throttle=("hw-thermal",), clocks=Clocks(1100, 1980, 2619))
    gpus[5] = gpu(6, ecc=Ecc(3, 12, True))
    part = MigDevice(
        name="1g.10gb", memory_used_bytes=GIB, memory_total_bytes=10 * GIB, processes=(GpuProcess(7, None, 41_007),)
    )
    gpus[6] = gpu(7, mig=(part,), processes=None)
    alarms = (
        Alarm(
            id=1, t=NOW - 62, level="fail", key="lost:gpu:GPU-3",
            text="GPU 3 (NVIDIA H100 80GB HBM3) does not answer: GPU is lost",
            hint="Look for Xid errors in `dmesg`; engines on it must move. Reset the GPU or reboot.",
        ),
        Alarm(
            id=2, t=NOW - 4, level="warn", key="hot:gpu:GPU-5",
            text="GPU 5 (NVIDIA H100 80GB HBM3) is at 86 C and slows down from 87 C",
            hint="Check fans and inlet air, or lower its power: nvidia-smi -i 5 -pl WATTS.",
        ),
    )  # fmt: skip
    dead = failed_engine()
    broken = tuple(
        replace(
            one,
            state="failed",
            tokens_per_s=None,
            running=None,
            waiting=None,
            rss_bytes=None,
            kv_usage=None,
            prompt_tokens_per_s=None,
            ttft_p95_ms=None,
            itl_p95_ms=None,
            error=dead.error,
        )
        if one.name == "code-int4"
        else one
        for one in engines(8)
    )
    return server(sample=machine(gpus=tuple(gpus), lost_gpus=(lost,)), engines=broken, operations=(), alarms=alarms)


def detail(status: EngineStatus) -> EngineDetail:
    """Two starts, the second with another checkpoint, and what happened."""
    first = Start(
        generation=1, t=NOW - 9_000, profile=status.profile, model=status.model, sha256="1f" * 32,
        argv=("vllm", "serve", "--max-model-len", "8192"), version="0.32.0",
    )  # fmt: skip
    second = replace(
        first, generation=2, t=NOW - 900, sha256="ab" * 32, argv=("vllm", "serve", "--max-model-len", "16384")
    )
    return EngineDetail(
        name=status.name,
        profile=None,
        replicas=(status,),
        starts=(first, second),
        timeline=(
            TimelineEntry(t=NOW - 9_000, kind="deploy", text=f"{status.name}.1: {status.profile}", by="ada"),
            TimelineEntry(t=NOW - 930, kind="engine", text=f"{status.name}.1: ended by itself", by="quantdeck"),
            TimelineEntry(t=NOW - 900, kind="start", text=f"{status.name}.2: {status.model}", by="quantdeck"),
        ),
    )


def history(names: tuple[str, ...], points: int = 41) -> HistoryAnswer:
    """Waves, and a hole where nothing was read."""
    series = {}
    for place, name in enumerate(names):
        top = 80.0 if name.endswith("percent") else 70.0 * GIB if name.endswith("bytes") else 310.0 * max(1, place - 9)
        mean: list[float | None] = [top * (0.55 + 0.4 * math.sin((at + place) / 4)) for at in range(points)]
        mean[points // 2] = None
        series[name] = SeriesPoints(min=mean, mean=mean, max=mean, last=mean)
    return HistoryAnswer(start=int(NOW) - 600, step=15, series=series)


def answering(status: HostStatus) -> FakeLink:
    """A link on which the host's agent answers everything that the host pane asks for."""
    link, names, since = FakeLink(status), series_of(status), f"-{SPAN_S}"
    link.pages[(status.name, "/v1/history")] = SeriesList(series=list(names))
    for at in range(0, len(names), MOST_SERIES):
        some = names[at : at + MOST_SERIES]
        path = f"/v1/history?series={','.join(some)}&since={since}&step={STEP_S}"
        link.pages[(status.name, path)] = answer = history(some)
        since = str(answer.start)
    for one in status.engines:
        link.pages[(status.name, f"/v1/engines/{one.name}")] = detail(one)
    return link
