"""One host in short, as lines: the machine, its engines, its gateway, its experiments, and what happened last."""

from __future__ import annotations

from quantdeck_console.model.engine_table import engine_lines
from quantdeck_console.model.text import (
    EMPTY,
    TEXT_TONES,
    Line,
    Tone,
    ends,
    fit,
    greyed,
    line,
    span,
    status,
    wrapped,
)
from quantdeck_core.fleet.cells import age, clock, count, number, plural, size, split, whole_percent
from quantdeck_core.fleet.health import Finding, experiment_health, health, heard_age
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.gateway import RUNGS
from quantdeck_core.protocol.host import GatewayView, GpuSample, HostSample, HostStatus, LostGpu

_KINDS: dict[str, Tone] = {"alarm": "warn", "over": "ok", "rollback": "warn", "clear": "ok", "weight": "strong"}


def host_lines(view: HostView, now: float, width: int, *, said: bool = False) -> list[Line]:
    """A host in short; grey, and saying how old it is, when that is not current.

    Args:
        said: its sentence stands in the headline already.
    """
    finding = health(view, now)
    lines = [title_line(view, finding, width)]
    if finding.level != "ok" and not said:
        lines += wrapped(finding.sentence, width, "stale" if finding.level == "stale" else "", most=2)
    return lines + as_old_as_it_is(view, now, _status_lines(view.status, width)) if view.status else lines


def title_line(view: HostView, finding: Finding, width: int) -> Line:
    """Its name and status, which agent that is from, and what may be done there."""
    role = f"{view.link.role}{', read-only: it speaks another version' if view.link.read_only else ''}"
    right_end = span(f"agent {view.status.agent_version}  {role} " if view.status else " ", "dim")
    return ends(line(span(f" {view.name}  ", "strong"), status(finding.level)), (right_end,), width)


def as_old_as_it_is(view: HostView, now: float, lines: list[Line]) -> list[Line]:
    """What was heard of a host: as it is while that is current, else grey below its age."""
    if view.link.state == "connected" and health(view, now).level != "stale":
        return lines
    silent = heard_age(view, now)
    heard = line(" ", span(f"as last heard {age(silent)} ago:" if silent is not None else "", "stale"))
    return [heard, *greyed(lines)]


def _status_lines(status: HostStatus, width: int) -> list[Line]:
    lines = _machine(status.sample, width)
    if status.engines:
        lines += [EMPTY, *engine_lines(status.engines, width)]
    if status.gateway:
        lines.append(gateway_line(status.gateway))
    lines += [experiment_line(experiment, width) for experiment in status.experiments]
    if status.sample.gpus or status.sample.lost_gpus:
        lines += [EMPTY, *(_gpu(gpu, width) for gpu in status.sample.gpus)]
        lines += [_lost_gpu(gpu) for gpu in status.sample.lost_gpus]
    return lines


def _machine(sample: HostSample, width: int) -> list[Line]:
    first = line(
        span(" cpu ", "dim"), f"{sample.cpu_percent:.0f}% of {plural(sample.cpu_count, 'core')}",
        span("  load ", "dim"), f"{sample.load_1m:.1f}",
        span("  ram ", "dim"), f"{size(sample.memory_used_bytes)} of {size(sample.memory_total_bytes)}",
        span("  disk free ", "dim"), size(sample.disk_free_bytes),
    )  # fmt: skip
    return [first] if sample.gpus else [first, *wrapped(sample.gpu_note or "no GPU", width, "dim", most=1)]


def _gpu(gpu: GpuSample, width: int) -> Line:
    used = f"{size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}"
    percent = whole_percent(gpu.memory_used_bytes, gpu.memory_total_bytes)
    facts = [
        (f"{gpu.utilization_percent}% busy", gpu.utilization_percent),
        (f"{gpu.temperature_c} C", gpu.temperature_c),
        (f"{gpu.power_w or 0:.0f} W", gpu.power_w),
    ]
    known = "  ".join(text for text, value in facts if value is not None)
    return ends(line(span(f" gpu {gpu.index} ", "dim"), gpu.name), line(f"{used} ({percent})  {known} "), width)


def _lost_gpu(gpu: LostGpu) -> Line:
    return line(span(f" gpu {gpu.index} ", "dim"), gpu.name, span(f"  LOST x {gpu.note}", "fail"))


def gateway_line(gateway: GatewayView) -> Line:
    """Whether it answers, and how much it has to do."""
    if not gateway.running:
        return line(span(" gateway ", "dim"), f"{gateway.listen}  ", span("does not answer x", "fail"))
    dropped = f"  {count(gateway.tee_dropped)} answers not judged" if gateway.tee_dropped else ""
    return line(
        span(" gateway ", "dim"), f"{gateway.listen}  {number(gateway.rps)} requests/s  {gateway.in_flight} in flight",
        span(_overload(gateway), "warn"), span(dropped, "warn"),
    )  # fmt: skip


def _overload(gateway: GatewayView) -> str:
    """The arms that have too many requests, the worst first."""
    worst = sorted(gateway.rungs.items(), key=lambda one: -one[1])
    return "".join(f"  {arm}: {RUNGS[min(rung, len(RUNGS) - 1)]}" for arm, rung in worst)


def experiment_line(experiment: ExperimentStatus, width: int) -> Line:
    """Its split, and how it does."""
    finding = experiment_health(experiment)
    start = f"{experiment.name}  {split(experiment.state.weight_bp)}  "
    room = width - len(" experiment ") - len(start) - 1
    return line(span(" experiment ", "dim"), start, span(fit(finding.text, room), TEXT_TONES[finding.level]))


def recent_lines(view: HostView, width: int, room: int) -> list[Line]:
    """What happened last on a host, newest first, where there is room for it."""
    if view.status is None or room < 4:
        return []
    happened = [(alarm.t, "over" if alarm.level == "ok" else "alarm", alarm.text, "") for alarm in view.alarms]
    happened += [
        (entry.t, entry.kind, entry.text, entry.by) for one in view.status.experiments for entry in one.timeline
    ]
    newest = sorted(happened, key=lambda one: one[0], reverse=True)[: room - 2]
    return [EMPTY, line(span(" RECENT", "head")), *(event_line(*one, width) for one in newest)] if newest else []


def event_line(t: float, kind: str, text: str, by: str, width: int, *, at: str = "", host: Line = ()) -> Line:
    """One thing that happened: when (by the clock, or in the words of `at`), what kind, on which host, what, who."""
    start = line(
        span(f" {at or clock(t)}  ", "dim"), span(f"{fit(kind, 9):<9} ", "dim"), *host, span(text, _KINDS.get(kind, ""))
    )
    return ends(start, line(span(fit(f"{by} ", width // 4), "dim")), width)
