"""The head of an incident as lines: how it stands, who has it, what was found; and what the views below it are."""

from __future__ import annotations

from typing import Literal, get_args

from quantdeck_console.model.asked import error_lines
from quantdeck_console.model.incident import Incident, Side
from quantdeck_console.model.text import (
    EMPTY,
    TEXT_TONES,
    Line,
    Span,
    Tone,
    ends,
    fit,
    greyed,
    line,
    span,
    status,
    width_of,
    wrap,
    wrapped,
)
from quantdeck_core.alerts.words import standing
from quantdeck_core.fleet.cells import age, plural
from quantdeck_core.fleet.health import Finding, experiment_health, health, heard_age

View = Literal["timeline", "trends", "replay"]
VIEWS: tuple[View, ...] = get_args(View)


def head_lines(incident: Incident, width: int, most: int) -> list[Line]:
    """How it stands, then at most so many lines of findings."""
    found = finding_lines(incident, width)
    more: Line = (Span("o", "key"), Span(" all findings ")) if len(found) > most else ()
    lines = [*_standing(incident, width), ends(_facts(incident), more, width), *_troubles(incident, width)]
    if more:
        (*start, last), (mark, *cut) = found[most - 1], found[most]
        if mark.text.isspace():  # the sentence goes on
            text = fit(f"{last.text} {cut[-1].text}", width - 2 - width_of(start))
            found[most - 1] = (*start, Span(text, last.tone))
    return [*lines, *found[:most]]


def finding_lines(incident: Incident, width: int) -> list[Line]:
    """What stands out: the first of each host, then the rest of the pane's own; grey where it is old."""
    lines = [one for side in incident.sides for one in _found(side, incident, width, slice(0, 1))]
    return [*lines, *_found(incident.own, incident, width, slice(1, None))]


def all_lines(incident: Incident, width: int) -> list[Line]:
    """Everything that was found, for reading."""
    lines = head_lines(incident, width, 1_000)
    for side in incident.sides:
        if side.asked.value:
            verdict = side.asked.value.report.verdict
            lines += [EMPTY, *wrapped(f"{side.view.name}, verdict: {verdict.kind}: {verdict.reason}", width)]
    for host, page in incident.pages():
        lines += [EMPTY, *wrapped(f"page {page.id} of {host}: {page.text}; {standing(page, incident.now)}", width)]
        lines += wrapped(page.hint, width, "dim")
    return lines


def finding_of(side: Side, now: float) -> Finding:
    """How the experiment stands, or why that is not known."""
    link = health(side.view, now)
    if link.level in ("stale", "connecting") or side.view.link.state == "refused":
        return link
    if side.experiment is None:
        return Finding(level="warn", text="it does not run here any more")
    return experiment_health(side.experiment)


def gateways_sentence(incident: Incident) -> str:
    """``on 2 gateways``, where it is rolled back ``on 1 of 2 gateways``."""
    known = [found for view in incident.gateways if (found := view.experiment(incident.name))]
    latched = sum(one.state.latched for one in known)
    return f"on {f'{latched} of ' if latched else ''}{plural(len(known), 'gateway')}"


def section_line(view: View, chosen: View, extra: str = "") -> Line:
    """The head of a view; the one that keys move in is in capitals, and names the others."""
    if view != chosen:
        return (Span(f" {view}", "head"), span(f"  {extra}" if extra else "", "dim"))
    following = ", ".join(VIEWS[VIEWS.index(view) + 1 :] + VIEWS[: VIEWS.index(view)])
    said = span(f"  {extra}   " if extra else "  ", "dim")
    return (Span(f" {view.upper()}", "strong"), said, Span("v", "key"), Span(f" {following}", "dim"))


def _standing(incident: Incident, width: int) -> list[Line]:
    finding = finding_of(incident.own, incident.now)
    start = line(" ", status(finding.level), "  ")
    room = width - width_of(start) - 1
    tone: Tone = "stale" if finding.level == "stale" else TEXT_TONES[finding.level]
    first, *rest = wrapped(finding.text, room, tone, indent="", most=2)
    return [(*start, *first), *((Span(" " * width_of(start)), *one) for one in rest)]


def _facts(incident: Incident) -> Line:
    """Where, who has it, and how old that is."""
    known = [found for view in incident.gateways if (found := view.experiment(incident.name))]
    latched = sum(one.state.latched for one in known)
    partly = 0 < latched < len(known)
    where = f"{'rolled back ' if latched else ''}{gateways_sentence(incident)}"
    parts = [Span(f" {where}{' !' if partly else ''}", "warn" if partly else "dim")]
    pages = [page for _, page in incident.pages()]
    old = incident.own.age_s(incident.now)
    if pages:
        worst = min(pages, key=lambda page: (page.level != "fail", bool(page.acknowledged_by), -page.began))
        open_ = worst.state(incident.now) == "open"
        tone: Tone = "stale" if old is not None else "warn" if open_ else "dim"
        parts.append(span(f"   {standing(worst, incident.now)}{' !' if open_ else ''}", tone))
    if old is not None:
        parts.append(span(f"   told {age(old)} ago", "stale"))
    silent = heard_age(incident.own.view, incident.now)
    if old is None and incident.own.view.link.state != "connected" and silent is not None:
        parts.append(span(f"   heard {age(silent)} ago", "stale"))
    return tuple(parts)


def _troubles(incident: Incident, width: int) -> list[Line]:
    lines: list[Line] = []
    for side in incident.sides:
        if side.asked.error:
            lines += error_lines(side.asked.error, width, host=side.view.name if incident.merged else "", most=3)
    if incident.own.asked.error and incident.story is None:
        lines.append(line(span(" The timeline is what the host tells by itself.", "dim")))
    return lines


def _found(side: Side, incident: Incident, width: int, which: slice) -> list[Line]:
    if side.asked.value is None:
        waiting = side.asked.error is None and side.experiment is not None and which.start == 0
        return wrapped(f"asking {side.view.name} what happened ...", width, "dim", most=1) if waiting else []
    where = f"{side.view.name}: " if incident.merged else ""
    found = side.asked.value.report.findings[which]
    lines = [one for text in found for one in _bullet(f"{where}{text}", width)]
    return greyed(lines) if side.age_s(incident.now) is not None else lines


def _bullet(text: str, width: int) -> list[Line]:
    return [(Span(" * " if index == 0 else "   "), Span(piece)) for index, piece in enumerate(wrap(text, width - 4))]
