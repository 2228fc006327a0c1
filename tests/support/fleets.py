"""Hosts, engines and experiments as their agents would report them, at one fixed moment."""

from __future__ import annotations

from typing import Any

import msgspec

from quantdeck_core.drift.floor import first_of_each, floor_findings, missing_verdict
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import SIGNALS, Verdict
from quantdeck_core.drift.window import WindowStats
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.alerts import Page, PageList, ReceiverStatus
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.events import ExperimentEvent
from quantdeck_core.protocol.experiment import (
    ArmSummary,
    ExperimentStatus,
    RollbackRecord,
    TimelineEntry,
)
from quantdeck_core.protocol.host import Alarm, GatewayView, GpuSample, HostSample, HostStatus
from quantdeck_core.protocol.requests import Freeze
from quantdeck_core.rollout.progress import RolloutProgress
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.state import RolloutState, stage_of
from support.verdicts import floor_verdict

NOW = 1_780_280_264.0
"""2026-06-01 02:17:44 UTC."""
GIB = 2**30
MIB = 2**20

replace = msgspec.structs.replace


def engine(name: str, **changes: Any) -> EngineStatus:
    """A ready engine."""
    status = EngineStatus(
        name=name,
        profile=f"tiny-{name}",
        engine="xllamacpp",
        served_name="assistant",
        state="ready",
        generation=1,
        model="tiny-f16.gguf" if name == "control" else "tiny-q4_0.gguf",
        model_sha256="ab" * 32,
        url="http://127.0.0.1:9001",
        pid=4711,
        started_at=NOW - 900,
        ready_s=1.4,
        rss_bytes=118 * MIB,
        running=2,
        waiting=0,
        tokens_per_s=412.0,
    )
    return replace(status, **changes)


def sample(**changes: Any) -> HostSample:
    """A machine without a GPU."""
    reading = HostSample(
        t=NOW,
        cpu_percent=34.0,
        cpu_count=8,
        load_1m=2.41,
        memory_used_bytes=13 * GIB,
        memory_total_bytes=32 * GIB,
        disk_free_bytes=118 * GIB,
        gpu_note="no GPU: NVML library not found",
    )
    return replace(reading, **changes)


def gpus(count: int, used: float = 0.88) -> tuple[GpuSample, ...]:
    """Some H100s."""
    return tuple(
        GpuSample(
            index=index,
            name="NVIDIA H100 80GB HBM3",
            memory_used_bytes=int(80 * GIB * used),
            memory_total_bytes=80 * GIB,
            utilization_percent=71,
            temperature_c=58,
            power_w=412.0,
        )
        for index in range(count)
    )


def arm(name: str, outputs: int, *, loops: int = 0, words: float = 41.0, **changes: Any) -> ArmSummary:
    """One side as measured."""
    stats = WindowStats(
        outputs=outputs,
        repetitions=loops,
        refusals=outputs // 60,
        mean_words=words if outputs else None,
        sd_words=9.0 if outputs else None,
        coherence=0.93 - loops / max(1, outputs) / 2 if outputs else None,
    )
    summary = ArmSummary(
        profile="tiny-f16" if name == "control" else "tiny-q4_0",
        engines=(name,),
        ready=True,
        users=181 if name == "control" else 19,
        answers=outputs * 3,
        failures=0,
        in_flight=4 if name == "control" else 2,
        window=stats,
        ttft_p50_ms=21.0,
        ttft_p95_ms=48.0 if name == "control" else 39.0,
        tokens_per_s=206.0 if name == "control" else 251.0,
        trend=(0.0, 0.0, 0.02, 0.0, None, 0.0, 0.01, 0.0, 0.0, 0.03, 0.0, 0.0),
    )
    return replace(summary, **changes)


def experiment(name: str = "int4_v1", weight_bp: int = 1_000, **changes: Any) -> ExperimentStatus:
    """A healthy experiment; pass `treatment` to make it something else."""
    control = changes.pop("control", arm("control", 500, loops=2))
    treatment = changes.pop("treatment", arm("treatment", 131, loops=1, words=40.0))
    status = ExperimentStatus(
        name=name,
        served_name="assistant",
        state=RolloutState(
            stage=stage_of(weight_bp), weight_bp=weight_bp, revision=3, reason="", by="ada", since=NOW - 812
        ),
        verdict=floor_verdict(control.window, treatment.window, Thresholds()),
        signals=_signals(control.window, treatment.window),
        control=control,
        treatment=treatment,
        rollback=Readiness(can=True),
        gateway_revision=7,
        timeline=(
            TimelineEntry(t=NOW - 1_420, kind="deploy", text="treatment: tiny-q4_0.gguf", by="ada"),
            TimelineEntry(t=NOW - 1_400, kind="create", text="control against treatment, weight 0 %", by="ada"),
            TimelineEntry(t=NOW - 812, kind="weight", text="weight 0 % -> 10 %", by="ada"),
        ),
    )
    return replace(status, **changes)


def _signals(control: WindowStats, treatment: WindowStats) -> dict[str, Verdict]:
    """As the judge says of each where only windows are known."""
    limits = Thresholds()
    missing = missing_verdict("treatment", treatment, limits)
    if missing:
        return dict.fromkeys(SIGNALS, missing)
    found = first_of_each(floor_findings(control, treatment, limits))
    rest = missing_verdict("control", control, limits)
    return (dict.fromkeys(SIGNALS, rest) if rest else {}) | found


def rolled_back(name: str = "int4_v1") -> ExperimentStatus:
    """A broken checkpoint that was caught."""
    reason = "47.1% of answers loop, limit 15%, 117.6x the control"
    treatment = arm(
        "treatment", 70, loops=33, words=88.0, in_flight=0, users=96,
        trend=(0.0, 0.0, 0.02, 0.0, None, 0.0, 0.01, 0.0, 0.12, 0.43, 0.52, 0.49),
    )  # fmt: skip
    status = experiment(name, treatment=treatment)
    return replace(
        status,
        state=RolloutState(
            stage="rollback", weight_bp=0, revision=6, reason=reason, by="quantdeck", since=NOW - 13
        ),
        last_rollback=RollbackRecord(
            at=NOW - 13, by="quantdeck", reason=reason, from_bp=5_000, outputs=70, effective_ms=6.2,
            detection_to_zero_ms=31.0,
        ),
        timeline=(
            *status.timeline,
            TimelineEntry(t=NOW - 190, kind="weight", text="weight 10 % -> 50 %", by="ada"),
            TimelineEntry(t=NOW - 31, kind="replace", text="treatment: tiny-broken.gguf", by="ada"),
            TimelineEntry(t=NOW - 13, kind="rollback", text=f"rolled back from 50 %: {reason}", by="quantdeck"),
        ),
    )  # fmt: skip


def gateway(**changes: Any) -> GatewayView:
    """A gateway that answers."""
    view = GatewayView(
        listen="127.0.0.1:8088", running=True, pid=4700, revision=7, in_flight=6, rps=12.3, rss_bytes=64 * MIB,
        tee_dropped=0,
    )  # fmt: skip
    return replace(view, **changes)


def rack(*experiments: ExperimentStatus, **changes: Any) -> HostStatus:
    """The host with the gateway and both arms."""
    status = HostStatus(
        name="rack-1",
        agent_version="0.1.0",
        sample=sample(),
        engines=(engine("control"), engine("treatment", tokens_per_s=251.0)),
        gateway=gateway(),
        experiments=experiments or (experiment(),),
    )
    return replace(status, **changes)


def gpu_host(**changes: Any) -> HostStatus:
    """A host with two GPUs, and an engine that does not start."""
    status = HostStatus(
        name="gpu-3", agent_version="0.1.0", sample=sample(gpus=gpus(2), gpu_note=""), engines=(failed_engine(),)
    )
    return replace(status, **changes)


def van(**changes: Any) -> HostStatus:
    """An edge box with one engine and no experiment."""
    status = HostStatus(
        name="van-7",
        agent_version="0.1.0",
        sample=sample(cpu_percent=12.0, cpu_count=4, memory_used_bytes=3 * GIB, memory_total_bytes=8 * GIB),
        engines=(engine("edge", running=0, tokens_per_s=96.0),),
    )
    return replace(status, **changes)


def failed_engine() -> EngineStatus:
    """One that did not start, and says what to do."""
    return engine(
        "treatment",
        state="failed",
        generation=2,
        tokens_per_s=None,
        rss_bytes=None,
        running=None,
        waiting=None,
        model="tiny-broken.gguf",
        error=ErrorInfo(
            code="engine-exited",
            title="The engine ended while it was loading",
            detail="llama_model_load: tensor 'blk.3.ffn_up.weight' has wrong shape",
            hint="Convert the checkpoint again, or deploy the former profile.",
        ),
    )


def alarm(number: int, text: str) -> Alarm:
    """A failure, now."""
    return Alarm(id=number, t=NOW, level="fail", text=text, experiment="int4_v1")


def changed(status: ExperimentStatus, revision: int = 2) -> ExperimentEvent:
    """The event of an experiment."""
    return ExperimentEvent(revision=revision, experiment=status)


def plan(**changes: Any) -> RolloutProgress:
    """A plan that soaks at its second step."""
    soaking = RolloutProgress(
        name="int4_rollout_v1", phase="soaking", step=2, steps=4, weight_bp=1_000, next_bp=5_000, soaked_s=7_300,
        soak_s=21_600, outputs=1_313, min_outputs=2_000, left_s=14_300.0,
        waits_for=("2 h 1 min of 6 h soaked at 10 %", "1,313 of 2,000 answers heard"),
    )  # fmt: skip
    return replace(soaking, **changes)


def frozen(by: str = "bo", reason: str = "the launch is today") -> Freeze:
    """A freeze that somebody else asked for."""
    return Freeze(by=by, reason=reason, since=NOW - 464)


def page(number: int, **changes: Any) -> Page:
    """A rollback that nobody has taken yet, three minutes old."""
    one = Page(
        id=number, key=f"rack-1/int4_v1/{number}", experiment="int4_v1", began=NOW - 190, last=NOW - 13, told=NOW - 13,
        text="rolled back from 50 %: 47.1% of answers loop, limit 15%, 117.6x the control",
        hint="Look at the incident, then say why it may go on or drop the treatment.",
    )  # fmt: skip
    return replace(one, **changes)


def page_list(*pages: Page, receivers: tuple[ReceiverStatus, ...] | None = None) -> PageList:
    """What an agent tells of its pages; one receiver takes them."""
    slack = ReceiverStatus(name="slack-1", kind="slack")
    return PageList(now=NOW, pages=pages, receivers=(slack,) if receivers is None else receivers)
