"""Pane 4: one experiment, both arms side by side."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.actions.rollback import banner
from quantdeck_console.model.experiment_view import experiment_lines, verdict_sentence
from quantdeck_console.model.fleet_view import header_line
from quantdeck_console.model.text import EMPTY, fit, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.pane import Pane
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus


class ExperimentScreen(Pane):
    """What the treatment does to the answers, and the keys to do something about it."""

    NAME = "experiment"
    BINDINGS = bindings_of("experiment")
    DEFAULT_CSS = """
    ExperimentScreen #arms { height: 1fr; width: 100%; }
    """

    def __init__(self, host: str, experiment: str) -> None:
        super().__init__()
        self._host = host
        self._experiment = experiment

    def compose_content(self) -> ComposeResult:
        """All of it is lines."""
        yield Lines(id="arms")

    def choose(self, host: str, experiment: str) -> None:
        """Show another one."""
        self._host, self._experiment = host, experiment
        if self._composed:
            self.query_one("#arms", Lines).scroll_lines(0)
            self.draw()

    def fill(self) -> None:
        """Show the experiment as it is now."""
        deck, now, width = self.deck, self.deck.model.clock(), self.size.width
        place = f"{self._experiment} on {self._host}"
        others = [row for row in deck.model.rows() if row.name != self._host]
        self.query_one("#header", Lines).show(
            [header_line(deck.title, others, now, width, read_only=bool(self.refused("roll_back")), place=place)]
        )
        waiting = banner(deck.rollbacks, now)
        top = [line(" ", span(fit(waiting, width - 2), "warn"))] if waiting else []
        target = self.target()
        if target is None:
            body = [EMPTY, line(f" {self._host} does not run {self._experiment} any more; Esc goes back to the fleet")]
        else:
            view, experiment = target
            height = self.size.height - 2 - len(top)
            body = experiment_lines(view, experiment, now, width, height, deck.glyphs)
        self.query_one("#arms", Lines).show([*top, *body])
        self.query_one("#footer", Lines).show([self.keys_line(width)])

    def concerns(self) -> HostView | None:
        """The experiment's host."""
        return self.deck.model.fleet.hosts.get(self._host)

    def target(self) -> tuple[HostView, ExperimentStatus] | None:
        """The experiment itself."""
        view = self.concerns()
        experiment = view.experiment(self._experiment) if view else None
        return (view, experiment) if view and experiment else None

    def sentence(self) -> str:
        """The verdict."""
        target = self.target()
        return f"{self._experiment} on {self._host}: {verdict_sentence(target[1])}" if target else ""

    def refused(self, action_id: str) -> str:
        """A latch can only be cleared where there is one."""
        if action_id == "clear" and (target := self.target()) and not target[1].state.latched:
            return "it is not rolled back"
        return super().refused(action_id)

    def action_clear(self) -> None:
        """Ask why the treatment may go on."""
        from quantdeck_console.screens.clear import ClearDialog

        if target := self.target():
            self.app.push_screen(ClearDialog(*target))

    def action_next_experiment(self) -> None:
        """The next one of the fleet, round and round."""
        known = [(view.name, one.name) for view, one in self.deck.model.experiments()]
        here = (self._host, self._experiment)
        if known:
            self.choose(*known[(known.index(here) + 1) % len(known) if here in known else 0])

    def action_back(self) -> None:
        """To the fleet."""
        self.deck.show_fleet()

    def action_down(self) -> None:
        """Scroll, where there is more than fits."""
        self._scroll(1)

    def action_up(self) -> None:
        """Scroll back."""
        self._scroll(-1)

    def action_top(self) -> None:
        """The first line."""
        self._scroll(-10_000)

    def action_bottom(self) -> None:
        """The last line."""
        self._scroll(10_000)

    def _scroll(self, lines: int) -> None:
        arms = self.query_one("#arms", Lines)
        arms.scroll_lines(arms.top + lines)
