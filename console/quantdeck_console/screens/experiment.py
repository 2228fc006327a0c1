"""Pane 4: one experiment, both arms side by side."""

from __future__ import annotations

from quantdeck_console.model.experiment_view import experiment_lines, verdict_sentence
from quantdeck_console.model.text import EMPTY, Line, line
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.subject_pane import SubjectPane


class ExperimentScreen(SubjectPane):
    """What the treatment does to the answers, and the keys to do something about it."""

    NAME = "experiment"
    BINDINGS = bindings_of("experiment")

    def body(self, width: int, height: int) -> list[Line]:
        """The experiment as it is now."""
        target = self.target()
        if target is None:
            host, experiment = self.subject
            return [EMPTY, line(f" {host} does not run {experiment} any more; Esc goes back")]
        return experiment_lines(*target, self.deck.model.clock(), width, height, self.deck.glyphs)

    def sentence(self) -> str:
        """The verdict."""
        target = self.target()
        return f"{self.place()}: {verdict_sentence(target[1])}" if target else ""

    def refused(self, action_id: str) -> str:
        """A latch can only be cleared where there is one."""
        if action_id == "clear" and (target := self.target()) and not target[1].state.latched:
            return "it is not rolled back"
        return super().refused(action_id)

    def action_clear(self) -> None:
        """Ask why the treatment may go on."""
        from quantdeck_console.screens.clear import clear_form
        from quantdeck_console.screens.form import FormDialog

        if target := self.target():
            view, experiment = target
            self.app.push_screen(FormDialog(clear_form(self.deck, view.name, experiment)))
