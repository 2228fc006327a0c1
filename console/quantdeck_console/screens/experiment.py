"""Pane 4: one experiment, both arms side by side."""

from __future__ import annotations

from collections.abc import Callable

from quantdeck_console.app import DeckApp
from quantdeck_console.model.experiment_view import experiment_lines, verdict_sentence
from quantdeck_console.model.text import EMPTY, Line, line
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.clear import clear_form
from quantdeck_console.screens.drill import drill_form
from quantdeck_console.screens.finish import cannot_finish, finish_form
from quantdeck_console.screens.form import Form, FormDialog
from quantdeck_console.screens.steer import cannot_steer, pausing, steer_form
from quantdeck_console.screens.subject_pane import SubjectPane
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Steering


class ExperimentScreen(SubjectPane):
    """What the treatment does to the answers, and the keys to do something about it."""

    NAME = "experiment"
    BINDINGS = bindings_of("experiment")

    def body(self, width: int, height: int) -> list[Line]:
        """The experiment as it is now."""
        target = self.target()
        if target is None:
            host, name = self.subject
            return [EMPTY, line(f" {host} does not run {name} any more; Esc goes back")]
        view, experiment = target
        model = self.deck.model
        others = [(other, one) for other, one in model.gateways(experiment.name) if other is not view]
        return experiment_lines(view, experiment, model.clock(), width, height, self.deck.glyphs, others)

    def sentence(self) -> str:
        """The verdict."""
        target = self.target()
        return f"{self.place()}: {verdict_sentence(target[1])}" if target else ""

    def refused(self, action_id: str) -> str:
        """What makes no sense as the experiment stands."""
        target = self.target()
        return (_senseless(action_id, target[1]) if target else "") or super().refused(action_id)

    def action_clear(self) -> None:
        """Ask why the treatment may go on."""
        self._ask(clear_form)

    def action_pause_plan(self) -> None:
        """Hold the plan, or let it go on."""
        if target := self.target():
            self._steer(pausing(target[1]))

    def action_promote_plan(self) -> None:
        """Ask why the rest of the step may be skipped."""
        self._steer("promote")

    def action_abort_plan(self) -> None:
        """Ask whether the plan is to end."""
        self._steer("abort")

    def action_finish(self) -> None:
        """Ask why the experiment is to end."""
        self._ask(finish_form)

    def action_drill(self) -> None:
        """Ask whether a rollback is to be rehearsed."""
        self._ask(drill_form)

    def _steer(self, action: Steering) -> None:
        self._ask(lambda deck, host, experiment: steer_form(deck, host, experiment, action))

    def _ask(self, form: Callable[[DeckApp, str, ExperimentStatus], Form]) -> None:
        if target := self.target():
            view, experiment = target
            self.app.push_screen(FormDialog(form(self.deck, view.name, experiment)))


def _senseless(action_id: str, experiment: ExperimentStatus) -> str:
    match action_id:
        case "clear":
            return "" if experiment.state.latched else "it is not rolled back"
        case "pause_plan":
            return cannot_steer(experiment, pausing(experiment))
        case "promote_plan":
            return cannot_steer(experiment, "promote")
        case "abort_plan":
            return cannot_steer(experiment, "abort")
        case "finish":
            return cannot_finish(experiment)
        case _:
            return ""
