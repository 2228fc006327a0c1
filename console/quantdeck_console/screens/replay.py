"""The replay dialog: what both arms will have to do, before they are asked."""

from __future__ import annotations

from collections.abc import Callable

from textual import events

from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.actions.replay import MOST, USUAL
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, line, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.cells import plural
from quantdeck_core.fleet.state import HostView


class ReplayDialog(Dialog):
    """`y` asks, Enter does not.

    Args:
        held: flagged prompts that the agent holds, of both arms.
        start: begins it, with so many prompts at most.
    """

    NAME = "replay"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("replay", but="confirm")

    def __init__(self, subject: Subject, held: int, start: Callable[[int], None]) -> None:
        super().__init__()
        self._subject = subject
        self._held = held
        self._start = start

    def title_text(self) -> str:
        """Which experiment, where."""
        host, experiment = self._subject
        return f"replay {experiment} on {host}"

    def concerns(self) -> HostView | None:
        """The host whose engines would be asked."""
        return self.deck.model.fleet.hosts.get(self._subject.host)

    def fill(self) -> None:
        """Say what would happen."""
        self.query_one("#text", Lines).show(self._asking())

    def on_key(self, event: events.Key) -> None:
        """`y` or `a`, pressed after the dialog was seen."""
        action = action_for_key(self.NAME, event.key)
        if action is None or action.id != "confirm":
            return
        event.stop()
        if self.accepts(event.time) and not self.refused("confirm"):
            self.dismiss(None)
            self._start(MOST if event.key == "a" else USUAL)

    def _asking(self) -> list[Line]:
        more = self._held > USUAL
        key: Tone = "key" if self.armed_at is not None else "dim"
        newest = f"ask the newest {USUAL}" if more else "ask them again"
        keys = [Span(" y", key), Span(f" {newest}")]
        keys += [Span("   a", key), Span(" ask all")] if more else []
        return [
            EMPTY,
            *wrapped(f"{plural(self._held, 'flagged prompt')} held in memory: both arms answer those of the treatment "
                     "again, as they were asked, two at a time.", WIDTH),
            EMPTY,
            *wrapped("Users do not see it and are not judged by it, but both engines have this to do beside them. "
                     "The timeline keeps that you asked.", WIDTH),
            EMPTY,
            line(*keys, Span("   n Esc", "key"), " cancel"),
        ]  # fmt: skip
