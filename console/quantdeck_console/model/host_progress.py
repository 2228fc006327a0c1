"""How far a change is on each of several hosts, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, span, wrapped
from quantdeck_core.fleet.cells import age, duration, listed, plural

PENDING_AFTER_S = 1.0
"""An agent answers within milliseconds; after a second without an answer, say so."""

Progress = Literal["asked", "sent", "applied", "unreachable", "refused", "absent"]
_TONES: dict[str, Tone] = {"sent": "strong", "applied": "ok"}
_HOST, _CHANGE, _WORD = 14, 18, 11


@dataclass
class Target:
    """One host of a change.

    Attributes:
        change: what it changes there, e.g. ``50/50 -> 100/0``; `note`: what else is to be known before.
        heard: it has said that it is concerned. A host that was never heard may be as well, so it is asked too, and is
            `absent` once it says that it is not.
        silent: it has not answered since somebody thinks of asking it.
        detail: what the host said, or why it said nothing.
        since: UNIX time of the first attempt.
    """

    host: str
    change: str = ""
    note: str = ""
    heard: bool = True
    silent: bool = True
    progress: Progress = "asked"
    detail: str = ""
    since: float = 0.0
    effective_ms: float | None = None

    @property
    def open(self) -> bool:
        """A retry may still reach it."""
        return self.progress in ("asked", "sent", "unreachable")

    def word(self, now: float) -> str:
        """How far it is: `pending` is sent, and unanswered for too long."""
        if self.progress == "sent" and now - self.since > PENDING_AFTER_S:
            return "pending"
        return self.progress


def progress_lines(
    targets: Sequence[Target], now: float, width: int, room: int, *, through: bool, done: str, noun: str
) -> list[Line]:
    """A summary that never says done too early, then the hosts; where there are too many, first what is not applied.

    Args:
        room: rows for the hosts.
        through: all have applied it, and no other host may be concerned; `done` says what holds then.
        noun: what one of them is, e.g. `gateway`.
    """
    applied = sum(target.progress == "applied" for target in targets)
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


def host_cells(host: str, change: str, tone: Tone = "strong") -> Line:
    """The first two columns of a row: where, and what changes there."""
    return (Span("   "), *left(host, _HOST, tone), Span("  "), *left(change, _CHANGE), Span("  "))


def waiting(targets: Sequence[Target], now: float) -> str:
    """Where it is not applied yet: ``pending on a, b; not heard: c``; nothing where all have answered."""
    by_word: dict[str, list[str]] = {}
    for target in targets:
        if target.open:
            by_word.setdefault(f"{target.word(now)} on" if target.heard else "not heard:", []).append(target.host)
    return "; ".join(f"{word} {listed(hosts)}" for word, hosts in by_word.items())


def _rows(target: Target, now: float, width: int) -> list[Line]:
    word = target.word(now)
    took = f"in {duration(target.effective_ms)}" if target.effective_ms else ""
    waited = f"for {age(now - target.since)}" if word in ("pending", "unreachable") else ""
    first = (*host_cells(target.host, target.change), *left(word, _WORD, _TONES.get(word, "warn")))
    tone: Tone = "warn" if target.progress == "refused" else "dim"
    detail = wrapped(target.detail, width, tone, indent="   ", most=2) if target.detail else []
    return [(*first, span(f"  {took or waited}", "dim")), *detail]
