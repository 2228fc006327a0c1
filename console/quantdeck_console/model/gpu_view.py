"""A host's GPUs as lines: how full, busy, hot and thirsty each is, what holds it back, and who is on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import Line, Span, Tone, ends, fit, flowed, left, line, right, span, width_of, wrapped
from quantdeck_core.fleet.cells import NONE, size, whole_percent
from quantdeck_core.health.gpu_conditions import gpu_conditions, gpu_key
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import GpuProcess, GpuSample, HostSample, LostGpu

_WIDE = 110
_STRANGER = "no engine of this agent"


def gpu_lines(sample: HostSample, engines: Sequence[EngineStatus], width: int, glyphs: Glyphs) -> list[Line]:
    """A row for each GPU and below it what is to be said of it; why there is none where there is none."""
    if not sample.gpus and not sample.lost_gpus:
        return wrapped(sample.gpu_note or "no GPU", width, "dim", most=1)
    bad = {condition.key for condition in gpu_conditions(sample) if condition.bad}
    names = Counter([*(gpu.name for gpu in sample.gpus), *(gpu.name for gpu in sample.lost_gpus)])
    models = ", ".join(f"{many} x {name}" if many > 1 else name for name, many in names.items())
    driver = f"driver {sample.driver} " if sample.driver else ""
    lines = [ends(line(span(" GPUS  ", "head"), span(models, "dim")), line(span(driver, "dim")), width)]
    rows: list[tuple[int, list[Line]]] = [(gpu.index, _gpu(gpu, engines, bad, width, glyphs)) for gpu in sample.gpus]
    rows += [(gpu.index, [_lost(gpu, engines, width)]) for gpu in sample.lost_gpus]
    for _, row in sorted(rows, key=lambda one: one[0]):
        lines += row
    return lines


def owner(process: GpuProcess, engines: Iterable[EngineStatus]) -> str:
    """Whose process it is: ``treatment.3``."""
    if process.engine is None:
        return _STRANGER
    known = next((engine for engine in engines if engine.pid == process.engine), None)
    # While one replaces another, only one of the two is in the list of engines.
    return f"{known.name}.{known.generation}" if known else "an engine that comes or goes"


def _gpu(gpu: GpuSample, engines: Sequence[EngineStatus], bad: set[str], width: int, glyphs: Glyphs) -> list[Line]:
    key = gpu_key(gpu)
    bar = glyphs.bar(gpu.memory_used_bytes, gpu.memory_total_bytes, 24 if width >= _WIDE else 12)
    used = f"{size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}"
    row: Line = (
        Span(" "), *right(str(gpu.index), 3, "strong"), Span("  "), Span(bar[0], "ok"), Span(bar[1], "dim"),
        *right(whole_percent(gpu.memory_used_bytes, gpu.memory_total_bytes), 5), Span(" "), *left(used, 21),
        *_fact(None if gpu.utilization_percent is None else f"{gpu.utilization_percent}% busy", 9), Span(" "),
        *_fact(_of(gpu.temperature_c, gpu.slowdown_c, "C"), 10, "warn" if f"hot:{key}" in bad else ""), Span(" "),
        *_fact(_of(gpu.power_w, gpu.power_limit_w, "W"), 12),
    )  # fmt: skip
    said = [span(text, tone) for text, tone in _remarks(gpu, key, bad)]
    holders = _holders(gpu.processes, engines)
    joined = line(span(f"   {holders}", "dim")) if holders else ()
    if not said and not gpu.mig and width_of((*row, *joined)) < width:
        return [(*row, *joined)]
    lines = [row]
    lines += flowed(said, width, "      ")
    if holders:
        lines += wrapped(holders, width, "dim", indent="      ", most=2)
    for part in gpu.mig or ():
        taken = f"{size(part.memory_used_bytes)} of {size(part.memory_total_bytes)}"
        text = f"{part.name}  {taken}  {_holders(part.processes, engines)}"
        lines.append(line(span(fit(f"      {text}".rstrip(), width - 1), "dim")))
    return lines


def _remarks(gpu: GpuSample, key: str, bad: set[str]) -> list[tuple[str, Tone]]:
    """What is wrong, or at least worth to know, in a few words each."""
    found: list[tuple[str, Tone]] = []
    if gpu.ecc.uncorrected:
        found.append((f"{gpu.ecc.uncorrected} uncorrectable memory errors x", "warn"))
    if gpu.ecc.repair_pending:
        found.append(("broken memory waits for a reset !", "warn"))
    if f"hot:{key}" in bad:
        found.append(("hot !", "warn"))
    if gpu.throttle:
        slowed = bool({f"throttled:{key}", f"power:{key}"} & bad)
        found.append((f"held back: {', '.join(gpu.throttle)}{' !' if slowed else ''}", "warn" if slowed else "dim"))
    if gpu.ecc.corrected:
        found.append((f"{gpu.ecc.corrected} corrected memory errors", "dim"))
    return found


def _holders(processes: Sequence[GpuProcess] | None, engines: Sequence[EngineStatus]) -> str:
    return ", ".join(
        f"{owner(one, engines)} {one.pid}{'' if one.memory_bytes is None else f' {size(one.memory_bytes)}'}"
        for one in processes or ()
    )


def _lost(gpu: LostGpu, engines: Sequence[EngineStatus], width: int) -> Line:
    on_it = ", ".join(engine.name for engine in engines if gpu.index in engine.gpus)
    start = line(" ", *right(str(gpu.index), 3, "strong"), "  ", Span("LOST x", "fail"), span(f"  {gpu.note}", "warn"))
    return ends(start, line(span(f"engines on it: {on_it} " if on_it else "", "strong")), width)


def _of(value: float | None, limit: float | None, unit: str) -> str | None:
    """``58/87 C``; without a limit where the driver does not tell."""
    if value is None:
        return None
    return f"{value:.0f}/{limit:.0f} {unit}" if limit is not None else f"{value:.0f} {unit}"


def _fact(text: str | None, width: int, tone: Tone = "") -> Line:
    return right(text or NONE, width, tone if text else "dim")
