"""What a dialog shows of a change on several hosts once it was sent."""

from __future__ import annotations

from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.model.host_progress import progress_lines
from quantdeck_console.model.text import EMPTY, Line, Span, line, wrapped
from quantdeck_console.screens.dialog import ROOM, WIDTH
from quantdeck_core.fleet.cells import listed, plural


def run_lines(run: HostRun, now: float) -> list[Line]:
    """How far it is on each host, and what the keys do now."""
    lines = progress_lines(run.known, now, WIDTH, ROOM, through=run.applied, done=run.done, noun=run.noun)
    return [*lines, *unheard_lines(run), EMPTY, *_what_next(run)]


def unheard_lines(run: HostRun) -> list[Line]:
    """Hosts of which nobody knows; what leaves them out would not be everyone's."""
    names = [target.host for target in run.unheard]
    if not names:
        return []
    what = f"{plural(len(names), 'host')} not heard yet, asked too in case it runs there:"
    return wrapped(f"{what} {', '.join(names)}", WIDTH, "warn", indent="   ", most=2)


def _what_next(run: HostRun) -> list[Line]:
    if run.open and run.lasting:
        again = [line(" The same request is sent again until each has applied it.")]
        if run.problem:
            again = wrapped(f"It ends with this console: {run.problem}", WIDTH, "warn", most=2)
        return [
            *again,
            line(Span(" Esc", "key"), " hides this; it goes on, and stays in the headline"),
        ]
    if run.open:
        left_out = listed([target.host for target in run.open])
        return [
            line(" The same request is sent again while this is open."),
            line(Span(" Esc", "key"), f" gives up: nothing more is asked of {left_out}"),
        ]
    if run.applied:
        return [line(Span(" Enter Esc", "key"), " close")]
    return [line(" Nothing more is sent: what was refused needs you.", Span("   Esc", "key"), " close")]
