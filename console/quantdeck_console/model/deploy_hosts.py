"""Hosts to choose from: what goes on there, how the check stands, or what is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.deploy_check import standing
from quantdeck_console.model.deploy_choice import Choice
from quantdeck_console.model.deploy_order import Sent
from quantdeck_console.model.deploy_progress import UNREACHABLE, lately, step_words, under_way
from quantdeck_console.model.text import TEXT_TONES, Line, Span, Tone, left
from quantdeck_core.fleet.cells import plural, size
from quantdeck_core.fleet.health import WORDS
from quantdeck_core.fleet.rows import FleetRow
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.operation import Intended


@dataclass(frozen=True)
class HostRow:
    """A host as its list shows it.

    Attributes:
        engine: what the words are about; where they are about the host, all engines there.
    """

    name: str
    marked: bool
    words: str
    tone: Tone
    engine: str = ""


def host_row(
    view: HostView, row: FleetRow, choice: Choice, asked: Asked[Intended], sent: Sent | None, now: float
) -> HostRow:
    """What matters most: an answer that is missing, what goes on, the check, how it ended, what is free."""
    marked = view.name in choice.marks
    words, engine = _words(view, row, choice, asked, sent, now)
    engines = view.status.engines if view.status else ()
    return HostRow(view.name, marked, words.text, words.tone, engine or ", ".join(one.name for one in engines))


def _words(
    view: HostView, row: FleetRow, choice: Choice, asked: Asked[Intended], sent: Sent | None, now: float
) -> tuple[Span, str]:
    wish = choice.wish()
    gone = row.level == "stale" or view.link.state != "connected"
    if sent and sent.progress == "sent":
        return Span(sent.word(now), "warn" if gone else "strong"), sent.request.name or sent.request.profile.name
    if going := under_way(view):
        return (UNREACHABLE if gone else step_words(going[0])), going[0].engine
    if sent and sent.progress in ("refused", "lost") and sent.wish == wish:
        return Span(sent.word(now), "warn"), sent.request.name or sent.request.profile.name
    if view.name in choice.marks and wish is not None and wish.profile.nodes is None:
        stands = standing(asked, view, wish, now)
        return Span(stands.word, stands.tone), ""
    if gone:
        return _status(row), ""
    if sent and sent.progress == "accepted":
        own = lately(view, sent.operation)
        return (step_words(own), own.engine) if own else (Span("accepted", "strong"), "")
    if row.level == "fail":
        return _status(row), ""
    ended = lately(view)
    return (step_words(ended), ended.engine) if ended else (_free(row), "")


def _status(row: FleetRow) -> Span:
    return Span(WORDS[row.level], TEXT_TONES[row.level])


def _free(row: FleetRow) -> Span:
    memory = row.memory
    if memory is None:
        return _status(row)
    return Span(f"{size(memory.total_bytes - memory.used_bytes)} free", "dim")


@dataclass(frozen=True)
class HostColumns:
    """Column widths in cells; where there is no room, words stand without their engine."""

    name: int
    engine: int
    words: int

    @classmethod
    def for_width(cls, width: int) -> HostColumns:
        """What fits beside the profiles."""
        words = 13
        engine = 16 if width >= 46 else 0
        return cls(name=max(6, width - 5 - words - 1 - (engine + 1 if engine else 0)), engine=engine, words=words)


def host_head(columns: HostColumns, pattern: str, amount: int, marked: int) -> Line:
    """Column names; how many are marked."""
    first = f"HOST {amount} /{pattern}" if pattern else f"HOST {marked} marked" if marked else "HOST"
    engine = (*left("ENGINE", columns.engine, "head"), Span(" ")) if columns.engine else ()
    return (Span(" "), *left(first, columns.name + 4, "head"), Span(" "), *engine, Span("STATE", "head"))


def host_line(row: HostRow, columns: HostColumns) -> Line:
    """One host."""
    mark = Span("[x] ", "key") if row.marked else Span("[ ] ", "dim")
    engine = (*left(row.engine, columns.engine, "dim"), Span(" ")) if columns.engine else ()
    return (mark, *left(row.name, columns.name, "strong" if row.marked else ""), Span(" "), *engine,
            *left(row.words, columns.words, row.tone))  # fmt: skip


def at_work(views: Mapping[str, HostView]) -> Line:
    """On how many hosts something goes on, and the key that goes there; empty where nothing does."""
    hosts = sum(1 for view in views.values() if under_way(view))
    return (Span(f"{plural(hosts, 'host')} at work ", "strong"), Span("o", "key"), Span(" ")) if hosts else ()
