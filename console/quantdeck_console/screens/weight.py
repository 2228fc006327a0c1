"""The weight dialog: who would move, before anything is sent."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.actions.weight import WeightRequests, needs_name, preview
from quantdeck_console.model.text import EMPTY, Line, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.change import ChangeDialog
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_core.errors import InputError
from quantdeck_core.fleet.cells import split, weight
from quantdeck_core.fleet.state import HostView
from quantdeck_core.hashing import bp_to_percent, percent_to_bp
from quantdeck_core.protocol.experiment import ExperimentStatus


class WeightDialog(ChangeDialog):
    """Asks for a percentage; Enter applies, Esc leaves."""

    NAME = "weight"
    BINDINGS = bindings_of("weight")
    DEFAULT_CSS = """
    WeightDialog #name { display: none; }
    WeightDialog #name.-open { display: block; }
    """

    def __init__(self, view: HostView, experiment: ExperimentStatus, by: str) -> None:
        super().__init__(view.name)
        self.experiment = experiment
        self._requests = WeightRequests(by)

    def title_text(self) -> str:
        """Which experiment, where."""
        return f"weight of {self.experiment.name} on {self.host}"

    def compose_content(self) -> ComposeResult:
        """What is, the new share, and what it would do."""
        yield Lines(id="now")
        share = bp_to_percent(self.experiment.state.weight_bp)
        yield Prompt(id="share", label="new", value=share, width=9, restrict=r"[0-9.%]*", after="% of users")
        yield Prompt(id="name", label=f"type {self.experiment.name} to send everyone to the treatment", width=24)
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once; nothing is applied before the dialog was seen."""
        super().opened()
        self.query_one("#share", Prompt).field.focus()

    def fill(self) -> None:
        """Show the present split, the preview and the answer."""
        state = self.experiment.state
        now = [
            EMPTY,
            line(span(" now ", "dim"), f"{weight(state.weight_bp)} of users, {split(state.weight_bp)}"),
        ]
        self.query_one("#now", Lines).show(now)
        name = self.query_one("#name", Prompt)
        name.set_class(self._wants_name(), "-open")
        name.field.disabled = not self._wants_name()
        self.query_one("#answer", Lines).show([*self._preview(), *self.answer_lines("apply")])

    def _preview(self) -> list[Line]:
        if self.applied or self.busy:
            return []
        new_bp = self._weight()
        if new_bp is None:
            return [EMPTY, line(span(" a percentage from 0 to 100, in steps of 0.01", "dim")), EMPTY]
        change, who = preview(self.experiment.state.weight_bp, new_bp)
        return [EMPTY, line(" ", span(change, "strong")), line(" ", span(who))]

    def _weight(self) -> int | None:
        try:
            return percent_to_bp(self.query_one("#share", Prompt).value)
        except InputError:
            return None

    def _wants_name(self) -> bool:
        new_bp = self._weight()
        return new_bp is not None and needs_name(self.experiment.state.weight_bp, new_bp)

    def action_apply_weight(self) -> None:
        """Enter."""
        self.submit()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""
        if self._wants_name() and self.query_one("#name", Prompt).value != self.experiment.name:
            self.query_one("#name", Prompt).field.focus()
            self.fail(InputError("This sends everyone to the treatment.", f"Type {self.experiment.name} to do it."))
            return
        try:
            new_bp = percent_to_bp(self.query_one("#share", Prompt).value)
        except InputError as error:
            self.fail(error)
            return
        request = self._requests.request(new_bp, self.experiment.state.revision)
        name = self.experiment.name
        self.send(lambda: self.deck.link.ask(self.host, lambda client: client.change_weight(name, request)))

    def was_refused(self) -> None:
        """Show the split as it is now."""
        view = self.concerns()
        self.experiment = (view.experiment(self.experiment.name) if view else None) or self.experiment
