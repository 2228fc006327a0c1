"""The clear dialog: a rolled-back treatment may go on only when somebody says why."""

from __future__ import annotations

from uuid import uuid4

from textual.app import ComposeResult

from quantdeck_console.model.text import EMPTY, line, span, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.change import ChangeDialog
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_core.errors import InputError
from quantdeck_core.fleet.cells import clock, split, weight
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import ClearLatch
from quantdeck_core.rollout.state import RESTART_BP
from quantdeck_core.text import clean


class ClearDialog(ChangeDialog):
    """Asks for a reason; Enter clears, Esc leaves."""

    NAME = "clear"
    BINDINGS = bindings_of("clear")

    def __init__(self, view: HostView, experiment: ExperimentStatus) -> None:
        super().__init__(view, experiment)
        # A repeat that is based on the same revision keeps its id: applied once.
        self._request_ids: dict[int, str] = {}

    def title_text(self) -> str:
        """Which experiment, where."""
        return f"clear the latch of {self.experiment.name} on {self.host}"

    def compose_content(self) -> ComposeResult:
        """Why it was rolled back, and why it may go on."""
        yield Lines(id="now")
        yield Prompt(id="reason", label="why it may go on")
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once."""
        super().opened()
        self.query_one("#reason", Prompt).field.focus()

    def fill(self) -> None:
        """Show what would happen, and the answer."""
        state = self.experiment.state
        self.query_one("#now", Lines).show(
            [
                EMPTY,
                *wrapped(f"rolled back {clock(state.since)} by {state.by}: {state.reason}", WIDTH, "", most=3),
                line(
                    span(" it starts again at ", "dim"), span(weight(RESTART_BP), "strong"),
                    span(f" of users: {split(state.weight_bp)} -> {split(RESTART_BP)}", "dim"),
                ),
                EMPTY,
            ]
        )  # fmt: skip
        self.query_one("#answer", Lines).show(self.answer_lines("clear the latch"))

    def action_clear_latch(self) -> None:
        """Enter."""
        self.submit()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""
        reason = clean(self.query_one("#reason", Prompt).value, one_line=True).strip()
        if not reason:
            self.fail(InputError("The reason is empty.", "Say why the treatment may have users again."))
            return
        revision = self.experiment.state.revision
        request_id = self._request_ids.setdefault(revision, uuid4().hex)
        change = ClearLatch(request_id=request_id, by=self.deck.by, revision=revision, reason=reason)
        self.send(lambda: self.deck.link.clear_latch(self.host, self.experiment.name, change))
