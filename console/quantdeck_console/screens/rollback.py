"""The rollback dialog: says what it will do, does it on `y` only, and stays honest until every gateway has."""

from __future__ import annotations

from textual import events

from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_console.model.host_progress import host_cells, shortened
from quantdeck_console.model.text import EMPTY, Line, Span, left, line, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import ROOM, WIDTH, Dialog
from quantdeck_console.screens.under_way import run_lines
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.cells import plural
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus


class RollbackDialog(Dialog):
    """One for each run: opened again, it shows how far that is."""

    NAME = "rollback"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("rollback", but="confirm")

    def __init__(self, run: RollbackRun, experiment: ExperimentStatus) -> None:
        super().__init__()
        self.run_state = run
        self._control = experiment.control.profile

    def title_text(self) -> str:
        """Which experiment."""
        return f"roll back {self.run_state.experiment}"

    def concerns(self) -> HostView | None:
        """The first of its hosts that would refuse."""
        hosts = self.deck.model.fleet.hosts
        return next((hosts[target.host] for target in self.run_state.targets if target.host in hosts), None)

    def fill(self) -> None:
        """Show what would happen, or what did so far."""
        self.query_one("#text", Lines).show(
            self._asking() if not self.run_state.started else run_lines(self.run_state, self.deck.model.clock())
        )

    def on_key(self, event: events.Key) -> None:
        """`y`, pressed after the dialog was seen; Enter only closes what is finished."""
        action = action_for_key(self.NAME, event.key)
        if action and action.id == "confirm":
            event.stop()
            if self.accepts(event.time) and not self.refused("confirm") and not self.run_state.started:
                self.deck.start_run(self.run_state)
                self.draw()
        elif event.key == "enter":
            event.stop()
            if self.run_state.finished:
                self.dismiss(None)

    def _asking(self) -> list[Line]:
        targets = self.run_state.targets
        ready = self.armed_at is not None
        rows = [[(*host_cells(one.host, one.change), *left(one.note, WIDTH - 14 - 18 - 8))] for one in targets]
        return [
            EMPTY,
            *wrapped(f"Everyone goes back to the control, {self._control}, on {_gateways(len(targets))}:", WIDTH),
            EMPTY,
            *shortened(rows, len(rows), ROOM - 5, "gateway"),
            EMPTY,
            line(" It is effective within a second. What is under way runs to its end."),
            line(" Then it is latched: the weight stays 0 until somebody clears it."),
            EMPTY,
            line(
                Span(" y", "key" if ready else "dim"), Span(" roll back", "" if ready else "dim"),
                Span("   n Esc", "key"), " cancel",
            ),
        ]  # fmt: skip


def _gateways(amount: int) -> str:
    return plural(amount, "gateway")
