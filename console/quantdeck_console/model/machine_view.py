"""The machine itself as lines: what it has, how much of that is used, and the last minutes beside it."""

from __future__ import annotations

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import Line, Span, Tone, ends, left, line, right, span
from quantdeck_console.model.trends import STEP_S, Trend, Trends
from quantdeck_core.fleet.cells import number, plural, size, whole_percent
from quantdeck_core.health.host_conditions import host_conditions, limit_of
from quantdeck_core.protocol.host import HostSample, HostStatus

_WIDE = 110
_LABEL = 9


class _Rows:
    """Rows of one width: label, bar, percent, words, and a sparkline at the right edge."""

    def __init__(self, width: int, glyphs: Glyphs) -> None:
        self._width, self._glyphs = width, glyphs
        self._bar = 24 if width >= _WIDE else 12
        self.spark = width // 3 if width >= _WIDE else 20
        self.lines: list[Line] = []

    def bar(self, label: str, used: float, total: float, text: str, trend: Trend | None, *, bad: bool = False) -> None:
        """Something that has a limit."""
        full, empty = self._glyphs.bar(used, total, self._bar)
        percent = right(f"{whole_percent(used, total)}{' !' if bad else ''}", 7, "warn" if bad else "")
        self._add((Span(full, "ok"), Span(empty, "dim"), *percent, span(f"  {text}")), label, trend)

    def say(self, label: str, text: str, trend: Trend | None = None, tone: Tone = "") -> None:
        """Something that has none."""
        self._add((span(text, tone),), label, trend)

    def _add(self, parts: Line, label: str, trend: Trend | None) -> None:
        drawn = self._glyphs.sparkline(trend.values, trend.top, self.spark) if trend else ""
        start = (Span(" "), *left(label, _LABEL, "dim"), *parts)
        self.lines.append(ends(start, line(Span(drawn, "ok"), Span(" ")), self._width) if drawn else start)


def machine_lines(status: HostStatus, known: Trends, width: int, glyphs: Glyphs) -> list[Line]:
    """Head and rows; what the machine does not tell has none."""
    sample = status.sample
    bad = {condition.key for condition in host_conditions(sample, None) if condition.bad}
    rows = _Rows(width, glyphs)
    free = sample.memory_total_bytes - sample.memory_used_bytes
    cores = f"{plural(sample.cpu_count, 'core')}, load {sample.load_1m:.1f}"
    rows.bar("cpu", sample.cpu_percent, 100.0, cores, known.cpu)
    rows.bar(
        "ram", sample.memory_used_bytes, sample.memory_total_bytes,
        f"{size(free)} free of {size(sample.memory_total_bytes)}", known.memory,
        bad="memory:available" in bad,
    )  # fmt: skip
    if sample.gpus:
        used = sum(gpu.memory_used_bytes for gpu in sample.gpus)
        total = sum(gpu.memory_total_bytes for gpu in sample.gpus)
        rows.bar("gpu ram", used, total, f"{size(total - used)} free of {size(total)}", known.gpu_memory)
    if known.tokens:
        now = sum(engine.tokens_per_s or 0.0 for engine in status.engines)
        tokens = known.tokens._replace(top=max(now, known.tokens.top))
        rows.say("tok/s", f"{number(now)} now, {number(tokens.top)} at most", tokens)
    if sample.swap_total_bytes:
        used = sample.swap_used_bytes or 0
        text = f"{size(used)} of {size(sample.swap_total_bytes)} in use"
        rows.bar("swap", used, sample.swap_total_bytes, text, None)
    _disk(rows, "disk", sample.disk_free_bytes, sample.disk_total_bytes, bad="disk:state" in bad)
    _disk(rows, "models", sample.models_disk_free_bytes, sample.models_disk_total_bytes, bad="disk:models" in bad)
    _rest(rows, sample, bad)
    return [_head(sample, known, rows.spark, width), *rows.lines]


def _head(sample: HostSample, known: Trends, spark: int, width: int) -> Line:
    longest = max((len(one.values) for one in (known.cpu, known.memory) if one), default=0)
    minutes = min(spark, longest) * STEP_S // 60
    told = (span(f"{known.note} ", "stale"),) if known.note else ()
    if minutes and not told:
        told = (span(f"LAST {minutes} MIN ", "head"),)
    return ends(line(span(" MACHINE  ", "head"), span(sample.board, "dim")), told, width)


def _disk(rows: _Rows, label: str, free: int | None, total: int | None, *, bad: bool) -> None:
    if free is None:
        return
    if total is None:
        rows.say(label, f"{size(free)} free{' !' if bad else ''}", tone="warn" if bad else "")
    else:
        rows.bar(label, total - free, total, f"{size(free)} free of {size(total)}", None, bad=bad)


def _rest(rows: _Rows, sample: HostSample, bad: set[str]) -> None:
    if sample.rx_bytes_per_s is not None and sample.tx_bytes_per_s is not None:
        rows.say("network", f"{size(sample.rx_bytes_per_s)}/s in, {size(sample.tx_bytes_per_s)}/s out")
    heat = [f"{one.name} {_of(one.c, limit_of(one), '.0f')} C" for one in sample.temperatures]
    if sample.fan_rpm is not None:
        heat.append(f"fan {sample.fan_rpm:,} rpm")
    if sample.cpu_mhz is not None:
        heat.append(f"clock {_of(sample.cpu_mhz / 1000, sample.cpu_max_mhz and sample.cpu_max_mhz / 1000, '.1f')} GHz")
    if heat:
        hot = any(key.startswith("hot:sensor:") for key in bad)
        rows.say("heat", f"{', '.join(heat)}{' !' if hot else ''}", tone="warn" if hot else "")
    if sample.memory_some_percent is not None and sample.memory_full_percent is not None:
        stalled = "memory:stalled" in bad
        some, full = f"{sample.memory_some_percent:.0f} %", f"{sample.memory_full_percent:.0f} %"
        text = f"{some} of the time some wait for memory, {full} all do{' !' if stalled else ''}"
        rows.say("pressure", text, tone="warn" if stalled else "")
    if sample.throttled:
        rows.say("slowed", f"{', '.join(sample.throttled)} !", tone="warn")


def _of(value: float, limit: float | None, form: str) -> str:
    return f"{value:{form}}/{limit:{form}}" if limit is not None else f"{value:{form}}"
