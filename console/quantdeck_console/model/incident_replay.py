"""The flagged prompts, asked again: what would be asked, how far it is, and what it says."""

from __future__ import annotations

from quantdeck_console.model.asked import error_lines
from quantdeck_console.model.incident import Incident
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, span, wrapped
from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import clock, day, plural
from quantdeck_core.incident.replay import Conclusion, ReplayReport, conclude

WHY_NONE = conclude(()).text
HOW_TO_KEEP = (
    "Prompts are kept where the profiles of both arms say keep_flagged = true: set it, deploy both, and what is "
    "flagged from then on can be asked again."
)
_TONES: dict[Conclusion, Tone] = {"quantization": "warn", "upstream": "warn"}
_AT, _FLAGS = 14, 18


def replay_lines(incident: Incident, width: int, offer: str) -> list[Line]:
    """All that is known of replays.

    Args:
        offer: how the prompts that are held can be asked again, or why not.
    """
    running, story, report = incident.own.replaying, incident.story, incident.own.report
    if running and running.under_way:
        return [
            *wrapped(f"Both arms answer up to {plural(running.most, 'prompt')} again, two at a time.", width),
            line(" under way for ", span(spoken(incident.now - running.since), "strong")),
            line(span(" It goes on when you look at something else, and is told when it has ended.", "dim")),
        ]
    if running and running.error:
        return [*error_lines(running.error, width), EMPTY, *_held(incident, width, offer)]
    if report and report.replay:
        return report_lines(report.replay, width)
    lines = _held(incident, width, offer)
    before = [one for one in story.report.timeline if one.kind == "replay"] if story else []
    if before:
        newest = before[-1]
        said = f"{day(newest.t)} {clock(newest.t)} {newest.by}: {newest.text}"
        lines += [EMPTY, *wrapped(f"The last one, {said}", width)]
    return lines


def report_lines(replay: ReplayReport, width: int) -> list[Line]:
    """The verdict, and what is wrong with the answers of each arm now."""
    lines = wrapped(replay.text, width, _TONES.get(replay.conclusion, "strong"))
    if not replay.prompts:
        return lines
    lines += [EMPTY, _row("FLAGGED AT", "THE USER GOT", "CONTROL NOW", "TREATMENT NOW", "head")]
    for one in replay.prompts:
        at = f"{day(one.t)} {clock(one.t)}"
        lines.append(_row(at, ", ".join(one.flags), _said(one.control), _said(one.treatment)))
        if one.error:
            lines += wrapped(one.error, width, "warn", indent=" " * (_AT + 3), most=2)
    return lines


def _held(incident: Incident, width: int, offer: str) -> list[Line]:
    """What could be asked, or why nothing."""
    story = incident.story
    if story is None:
        return [line(span(" Whether prompts are held is not known: the agent has not answered.", "dim"))]
    held = story.report.flagged
    if not held:
        return [*wrapped(WHY_NONE, width), *wrapped(HOW_TO_KEEP, width, "dim")]
    are = "is" if held == 1 else "are"
    said = f"{plural(held, 'flagged prompt')} {are} held in memory, for an hour at most."
    return [*wrapped(said, width), *wrapped(offer, width, "strong")]


def _row(at: str, flags: str, control: str, treatment: str, tone: Tone = "") -> Line:
    cells = ((at, _AT), (flags, _FLAGS), (control, _FLAGS), (treatment, _FLAGS))
    return (Span(" "), *(part for text, width in cells for part in (*left(text, width, tone), Span(" "))))


def _said(flags: tuple[str, ...] | None) -> str:
    return "no answer" if flags is None else ", ".join(flags) or "well"
