"""The rollback dialog: says what it will do, does it on `y` only, and stays honest until every gateway has."""

from __future__ import annotations

from textual import events

from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_console.model.host_progress import PENDING_AFTER_S, Target, host_cells, shortened
from quantdeck_console.model.text import EMPTY, Line, Span, fit, line, span, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import ROOM, WIDTH, Dialog
from quantdeck_console.screens.under_way import run_lines, unheard_lines
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.work import begin
from quantdeck_core.fleet.cells import plural
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus

_ROOM = ROOM - 3
"""Rows for hosts before it is sent: more is said around them."""


class RollbackDialog(Dialog):
    """One for each run: opened again, it shows how far that is."""

    NAME = "rollback"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("rollback", but="confirm")

    def __init__(self, run: RollbackRun, experiment: ExperimentStatus) -> None:
        super().__init__()
        self.run_state = run
        self._control = experiment.control.profile
        self._opened_at = 0.0

    def title_text(self) -> str:
        """Which experiment."""
        return f"roll back {self.run_state.experiment}"

    def concerns(self) -> HostView | None:
        """The first of its hosts that would refuse."""
        hosts = self.deck.model.fleet.hosts
        return next((hosts[target.host] for target in self.run_state.targets if target.host in hosts), None)

    def opened(self) -> None:
        """Get ready while somebody reads."""
        self._opened_at = self.deck.monotonic()
        super().opened()
        if not self.run_state.started:
            begin(self, self.run_state.prepare, group="prepare")

    def fill(self) -> None:
        """Show what would happen, or what did so far."""
        run = self.run_state
        lines = run_lines(run, self.deck.model.clock()) if run.started else self._asking()
        self.query_one("#text", Lines).show(lines)

    def on_key(self, event: events.Key) -> None:
        """`y`, pressed after the dialog was seen; Enter only closes what is finished."""
        action = action_for_key(self.NAME, event.key)
        if action and action.id == "confirm":
            event.stop()
            if self.accepts(event.time) and not self.refused("confirm") and not self.run_state.started:
                self.deck.runs.start(self.run_state)
                self.draw()
        elif event.key == "enter":
            event.stop()
            if self.run_state.finished:
                self.dismiss(None)

    def _asking(self) -> list[Line]:
        run = self.run_state
        ready = self.armed_at is not None
        gateways = plural(len(run.known), "gateway")
        return [
            EMPTY,
            *wrapped(f"Everyone goes back to the control, {self._control}, on {gateways}:", WIDTH),
            EMPTY,
            *shortened([[self._target(target)] for target in run.known], len(run.known), _ROOM, run.noun),
            *unheard_lines(run),
            EMPTY,
            line(" It is effective within a second. What is under way runs to its end."),
            line(" Then it is latched: the weight stays 0 until somebody clears it."),
            EMPTY,
            line(
                Span(" y", "key" if ready else "dim"), Span(" roll back", "" if ready else "dim"),
                Span("   n Esc", "key"), " cancel",
            ),
        ]  # fmt: skip

    def _target(self, target: Target) -> Line:
        cells = host_cells(target.host, target.change, "dim" if target.silent else "strong")
        if target.silent and self.deck.monotonic() - self._opened_at > PENDING_AFTER_S:
            return (*cells, span("its agent does not answer now", "warn"))
        return (*cells, span(fit(target.note, WIDTH - 41)))
