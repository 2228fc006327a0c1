"""The fleet pane as lines: header, headline, and a row per host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import (
    TONES,
    Line,
    Span,
    Tone,
    ends,
    fit,
    left,
    line,
    right,
    span,
    status,
    width_of,
    wrapped,
)
from quantdeck_core.fleet.cells import NONE, age, clock, clock_minutes, number, plural, short_duration, whole_percent
from quantdeck_core.fleet.headline import Headline
from quantdeck_core.fleet.health import WORDS, Level
from quantdeck_core.fleet.rows import FleetRow, Memory, Quality, level_counts
from quantdeck_core.fleet.standing import Standing

_LIGHTS: dict[Quality, Span] = {
    "ok": status("ok"),
    "warn": status("warn"),
    "fail": status("fail"),
    "unknown": Span(WORDS["connecting"], "dim"),
}
_COUNTED: dict[Level, str] = {"connecting": "connecting"}
_FROZEN = 24
"""Cells for who froze the fleet."""
_NO_GPU = "no GPU, RAM"


@dataclass(frozen=True)
class FleetColumns:
    """Column widths in cells; the rest of a row has fixed widths."""

    host: int
    bar: int
    gap: int

    @classmethod
    def for_width(cls, width: int) -> FleetColumns:
        """What fits: 80 columns show everything, more room goes to the bar and the name."""
        bar, gap = (16, 2) if width >= 110 else (7, 1)
        fixed = sum((7, len(_NO_GPU) + 1 + bar + 5, 5, 8, 6, 7, 4)) + 7 * gap + 1
        return cls(host=max(8, min(32, width - fixed)), bar=bar, gap=gap)

    @property
    def memory(self) -> int:
        """Width of the memory cell: label, bar, percent."""
        return len(_NO_GPU) + 1 + self.bar + 5


def header_line(
    title: str,
    rows: list[FleetRow],
    now: float,
    width: int,
    *,
    place: str = "",
    tags: Sequence[str] = (),
    seconds: bool = False,
) -> Line:
    """Title, counts per status, and the time, usually in minutes: a quiet screen sends nothing in between.

    Args:
        tags: what else everybody should know, the most urgent first.
    """
    levels = level_counts(rows)
    if place:
        # On another pane only what is wrong elsewhere matters.
        levels = {level: count for level, count in levels.items() if level in ("fail", "stale", "warn")}
    counts = [
        part
        for level, count in levels.items()
        for part in (Span("  "), Span(f"{count} {_COUNTED.get(level, WORDS[level])}", _quiet_tone(level)))
    ]
    what = [span(f"  {place}", "strong")] if place else [span(f"  {plural(len(rows), 'host')}")]
    if place and counts:
        what.append(Span("   elsewhere:", "dim"))
    what += counts
    end = line(
        *(span(f"{tag}  ", "warn") for tag in tags), Span(f"{(clock if seconds else clock_minutes)(now)} ", "dim")
    )
    return ends(line(span(f" {title}", "title"), *what), end, width)


def standing_tags(standing: Standing) -> list[str]:
    """What holds for the whole fleet and must be seen on every pane."""
    said = [f"{plural(standing.pages, 'page')} !"] if standing.pages else []
    return [*said, fit(standing.frozen.tag, _FROZEN)] if standing.frozen else said


def headline_lines(headline: Headline, steps: Line, width: int, banner: str = "") -> list[Line]:
    """At most three lines: what is wrong, what became of it, and the keys to go on with.

    Args:
        steps: the keys.
        banner: what is under way and not through yet; it stands first.
    """
    first = _sentence(headline, width, most=1 if headline.rest or banner else 2)
    rest: list[Line] = []
    if headline.rest:
        tone: Tone = "warn" if headline.undone or not headline.hosts else ""
        rest = wrapped(headline.rest, width, tone, indent="   ", most=1)
    if banner:
        return [line(" ", span(fit(banner, width - 2), "warn")), *first, *(rest or [steps])]
    last = rest or first[1:]
    if last and steps and width_of((*last[0], *steps)) + 4 <= width:
        return [*first[:1], ends(last[0], (*steps, Span(" ")), width)]
    return [*first, *rest, *([(Span("   "), *steps)] if steps else [])]


def _sentence(headline: Headline, width: int, most: int) -> list[Line]:
    tone: Tone = "ok" if headline.level == "ok" else "strong" if headline.level != "connecting" else "dim"
    lines = wrapped(headline.sentence, width, tone, most=most)
    if headline.hosts and headline.level == "fail":
        glyph, rest = lines[0][1].text[:1], lines[0][1].text[1:]
        lines[0] = (Span(" "), Span(glyph, "fail"), Span(rest, "strong"))
    return lines


def fleet_head(columns: FleetColumns) -> Line:
    """Column names."""
    gap = Span(" " * columns.gap)
    cells = (
        left("HOST", columns.host),
        left("STATUS", 7),
        left("GPU / CPU MEMORY", columns.memory),
        right("TOK/S", 5),
        right("RUN/WAIT", 8),
        right("TTFT95", 6),
        left("QUALITY", 7),
        right("AGE", 4),
    )
    joined = [Span(part.text, "head") for cell in cells for part in (*cell, gap)][:-1]
    return (Span(" "), *joined)


def fleet_line(row: FleetRow, columns: FleetColumns, glyphs: Glyphs) -> Line:
    """One host; what is stale or unknown is a dash, never an old number."""
    gap = Span(" " * columns.gap)
    grey: Tone = "stale" if row.level == "stale" else ""
    queue = NONE if row.running is None and row.waiting is None else f"{row.running or 0}/{row.waiting or 0}"
    light = _LIGHTS[row.quality] if row.quality else Span(NONE, "dim")
    return (
        *left(row.name, columns.host, grey or "strong"), gap,
        *left(WORDS[row.level], 7, TONES[row.level]), gap,
        *_memory(row.memory, columns, glyphs), gap,
        *_right(number(row.tokens_per_s), 5), gap,
        *_right(queue, 8), gap,
        *_right(short_duration(row.ttft_p95_ms), 6), gap,
        *left(light.text, 7, light.tone), gap,
        *right("" if row.age_s is None else age(row.age_s), 4, "stale"),
    )  # fmt: skip


def _right(text: str, width: int) -> Line:
    return right(text, width, "dim" if text == NONE else "")


def _memory(memory: Memory | None, columns: FleetColumns, glyphs: Glyphs) -> Line:
    if memory is None:
        blank = glyphs.empty * columns.bar
        return (*left("", len(_NO_GPU) + 1), Span(blank, "dim"), *right(NONE, 5, "dim"))
    full, empty = glyphs.bar(memory.used_bytes, memory.total_bytes, columns.bar)
    label = plural(memory.gpus, "GPU") if memory.gpus else _NO_GPU
    percent = whole_percent(memory.used_bytes, memory.total_bytes)
    return (*left(label, len(_NO_GPU) + 1, "dim"), Span(full, "ok"), Span(empty, "dim"), *right(percent, 5))


def _quiet_tone(level: Level) -> Tone:
    return "dim" if level in ("ok", "connecting") else TONES[level]
