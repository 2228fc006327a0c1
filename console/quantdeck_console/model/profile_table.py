"""Measured latency profiles of both arms as lines: a row for each number of requests at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.latency_plot import LABEL, arms_row
from quantdeck_console.model.text import Line, Span, fit, left, line, span, wrapped
from quantdeck_core.canary.latency import LatencyLevel, LatencyProfile
from quantdeck_core.engines.latency import Percentiles
from quantdeck_core.fleet.cells import NONE, age, clock_minutes, number, short_duration
from quantdeck_core.protocol.canary import LatencyState
from quantdeck_core.protocol.distributions import LatencySignal, Objective

_CELL = 8
_DAY_S = 86_400.0
_HEADS = ("TTFT95", "ITL95", "E2E95", "TOK/S")
_MIN_BAR = 8

Profiles = tuple[LatencyProfile | None, LatencyProfile | None]


def profile_lines(
    state: LatencyState, objectives: Sequence[Objective], now: float, width: int, glyphs: Glyphs
) -> list[Line]:
    """What was measured of the engines that serve now, and when; that it is under way, or why the last try failed."""
    profiles: Profiles = (state.control, state.treatment)
    notes = list(_notes(state, profiles, width))
    if not any(profiles):
        return notes
    arm = (width - 2 - LABEL) // 2
    limits = {signal: _limit(objectives, signal) for signal in ("ttft", "itl", "e2e")}
    return [
        *notes,
        arms_row("MEASURED", [_head(profile, now) for profile in profiles], arm),
        arms_row("at once", [_heads(arm)] * 2, arm),
        *_levels(profiles, limits, arm, glyphs),
    ]


def _head(profile: LatencyProfile | None, now: float) -> Line:
    if profile is None:
        return line(span("not measured", "dim"))
    at = clock_minutes(profile.at) if now - profile.at < _DAY_S else f"{age(now - profile.at)} ago"
    return line(span(fit(profile.engine, 20), "head"), span(f" {at}", "dim"))


def _heads(arm: int) -> Line:
    names = (*_HEADS, "TTFT95") if _bar_room(arm) else _HEADS
    return tuple(part for name in names for part in left(name, _CELL, "head"))


def _bar_room(arm: int) -> int:
    """Columns for a bar beside the figures; none on a narrow screen."""
    room = arm - len(_HEADS) * _CELL - 2
    return room if room >= _MIN_BAR else 0


def _levels(profiles: Profiles, limits: dict[str, float | None], arm: int, glyphs: Glyphs) -> Iterator[Line]:
    by_level = [{one.concurrency: one for one in profile.levels} if profile else {} for profile in profiles]
    top = max((one.ttft.p95_ms for levels in by_level for one in levels.values() if one.ttft), default=0.0)
    for concurrency in sorted({level for levels in by_level for level in levels}):
        cells = [_level(levels.get(concurrency), limits, arm, top, glyphs) for levels in by_level]
        yield arms_row(str(concurrency), cells, arm)


def _level(one: LatencyLevel | None, limits: dict[str, float | None], arm: int, top: float, glyphs: Glyphs) -> Line:
    if one is None:
        return ()
    cells = [_p95(value, limits[signal]) for signal, value in (("ttft", one.ttft), ("itl", one.itl), ("e2e", one.e2e))]
    parts = [part for cell in cells for part in left(cell.text, _CELL, cell.tone)]
    bar = glyphs.plot(one.ttft.p95_ms / top, _bar_room(arm)) if one.ttft and top > 0 else ""
    return (*parts, *left(number(one.tokens_per_s), _CELL), Span(bar, cells[0].tone or "ok"))


def _p95(value: Percentiles | None, limit: float | None) -> Span:
    if value is None:
        return Span(NONE, "dim")
    text = short_duration(value.p95_ms)
    return Span(f"{text} !", "warn") if limit is not None and value.p95_ms > limit else Span(text)


def _limit(objectives: Sequence[Objective], signal: LatencySignal) -> float | None:
    return min((one.p95_ms for one in objectives if one.signal == signal), default=None)


def _doubts(profile: LatencyProfile) -> str:
    """Why a profile is not whole."""
    failed = [f"{one.errors} requests failed at {one.concurrency} at once" for one in profile.levels if one.errors]
    return "; ".join((*([profile.note] if profile.note else ()), *failed))


def _notes(state: LatencyState, profiles: Profiles, width: int) -> Iterator[Line]:
    for profile in profiles:
        if profile and (said := _doubts(profile)):
            yield from wrapped(f"MEASURED {profile.variant}: {said}", width, "warn", most=2)
    if state.running:
        yield line(span(" MEASURED: it goes on now ...", "strong"))
    elif state.error:
        yield from wrapped(
            f"MEASURED: the last try failed: {state.error.detail} {state.error.hint}".rstrip(), width, "warn", most=2
        )
    elif not any(profiles):
        yield line(span(" MEASURED: nothing yet of the engines that serve now", "dim"))
