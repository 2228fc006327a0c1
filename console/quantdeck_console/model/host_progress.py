"""How far a change is on each of several hosts, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, span, wrapped
from quantdeck_core.fleet.cells import age, duration, listed, plural

PENDING_AFTER_S = 1.0
"""An agent answers within milliseconds; after a second without an answer, say so."""

Progress = Literal["asked", "sent", "applied", "unreachable", "refused"]
_TONES: dict[str, Tone] = {"sent": "strong", "applied": "ok"}
_HOST, _CHANGE, _WORD = 14, 18, 11


@dataclass
class Target:
    """One host of a change.

    Attributes:
        change: what it changes there, e.g. ``50/50 -> 100/0``; `note`: what else is to be known before.
        detail: what the host said, or why it said nothing.
        since: UNIX time of the first attempt.
    """

    host: str
    change: str = ""
    note: str = ""
    progress: Progress = "asked"
    detail: str = ""
    since: float = 0.0
    effective_ms: float | None = None

    @property
    def open(self) -> bool:
        """A retry may still reach it."""
        return self.progress not in ("applied", "refused")

    def word(self, now: float) -> str:
        """How far it is: `pending` is sent, and unanswered for too long."""
        if self.progress == "sent" and now - self.since > PENDING_AFTER_S:
            return "pending"
        return self.progress


def progress_lines(targets: Sequence[Target], now: float, width: int, room: int, *, done: str, noun: str) -> list[Line]:
    """A summary that never says done too early, then the hosts; where there are too many, first what is not applied.

    Args:
        room: rows for the hosts.
        done: what holds once all have applied it.
        noun: what one of them is, e.g. `gateway`.
    """
    applied = sum(target.progress == "applied" for target in targets)
    through = applied == len(targets)
    said = f"done: {done}, on" if through else f"not done: applied on {applied} of"
    if len(targets) > room // 3:
        targets = sorted(targets, key=lambda one: one.progress == "applied")
    rows = [_rows(target, now, width) for target in targets[: room + 1]]
    return [
        EMPTY,
        *wrapped(f"{said} {plural(len(targets), noun)}", width, "ok" if through else "warn", most=2),
        EMPTY,
        *shortened(rows, len(targets), room, noun),
    ]


def shortened(rows: Sequence[list[Line]], total: int, room: int, noun: str) -> list[Line]:
    """As many of them as fit, each whole; the last line then says how many of the total are left."""
    lines = [one for row in rows for one in row]
    if len(lines) <= room and len(rows) == total:
        return lines
    kept: list[Line] = []
    shown = 0
    for row in rows:
        if len(kept) + len(row) > room - 1:
            break
        kept += row
        shown += 1
    return [*kept, line(span(f"   and {plural(total - shown, f'more {noun}')}", "dim"))]


def host_cells(host: str, change: str) -> Line:
    """The first two columns of a row: where, and what changes there."""
    return (Span("   "), *left(host, _HOST, "strong"), Span("  "), *left(change, _CHANGE), Span("  "))


def waiting(subject: str, targets: Sequence[Target], now: float) -> str:
    """What must stay on screen: where something is not applied yet; nothing where all have answered."""
    by_word: dict[str, list[str]] = {}
    for target in targets:
        if target.progress in ("sent", "unreachable"):
            by_word.setdefault(target.word(now), []).append(target.host)
    if not by_word:
        return ""
    where = ", ".join(f"{word} on {listed(hosts)}" for word, hosts in by_word.items())
    return f"! {subject}: {where}; trying again"


def _rows(target: Target, now: float, width: int) -> list[Line]:
    word = target.word(now)
    took = f"in {duration(target.effective_ms)}" if target.effective_ms else ""
    waited = f"for {age(now - target.since)}" if word in ("pending", "unreachable") else ""
    first = (*host_cells(target.host, target.change), *left(word, _WORD, _TONES.get(word, "warn")))
    tone: Tone = "warn" if target.progress == "refused" else "dim"
    detail = wrapped(target.detail, width, tone, indent="   ", most=2) if target.detail else []
    return [(*first, span(f"  {took or waited}", "dim")), *detail]
