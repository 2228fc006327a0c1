"""A dialog made of a form: what would be done, at most one field, and one change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from textual import events
from textual.app import ComposeResult

from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.model.text import Line, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.change import ChangeDialog
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.text import clean


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a dialog says and does.

    Attributes:
        host: whose agent is asked.
        verb: what its key does, e.g. `freeze`.
        lines: what would happen, as the model is now; drawn anew with every change of the model.
        label: of the field; without one, `y` confirms and Enter does not.
        empty: what to say where nothing was typed; without it, that is fine.
        target: has to be typed as it is, for what is worse than a rollback.
        basis: what the change is based on, e.g. the experiment's revision: the same words on the same basis are the
            same request however often they are sent.
        blocks: why it cannot be done as it is said, or nothing; asked anew with every change of the model.
        send: asks for it; what was typed, a request id, the basis. None where it goes on without the dialog.
    """

    host: str
    title: str
    verb: str
    lines: Callable[[], list[Line]]
    send: Callable[[str, str, int], Awaitable[Applied] | None]
    label: str = ""
    empty: str = ""
    target: str = ""
    basis: Callable[[], int] = lambda: 0
    blocks: Callable[[], str] = lambda: ""


class FormDialog(ChangeDialog):
    """Enter sends what was typed; a form without a field waits for `y`."""

    NAME = "form"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("form", but="confirm")

    def __init__(self, form: Form) -> None:
        super().__init__(form.host)
        self.form = form
        self._request_ids: dict[tuple[int, str], str] = {}

    def title_text(self) -> str:
        """What is asked."""
        return self.form.title

    def compose_content(self) -> ComposeResult:
        """What would happen, the field, the answer."""
        yield Lines(id="does")
        if self.form.label:
            yield Prompt(id="typed", label=self.form.label)
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once."""
        super().opened()
        if self.form.label:
            self.query_one("#typed", Prompt).field.focus()

    def fill(self) -> None:
        """Show what would happen, and the answer."""
        blocks = wrapped(f"! {self.form.blocks()}", WIDTH, "warn", most=4) if self.form.blocks() else []
        self.query_one("#does", Lines).show([*self.form.lines(), *blocks])
        self.query_one("#answer", Lines).show(self.answer_lines(self.form.verb, "Enter" if self.form.label else "y"))

    def on_key(self, event: events.Key) -> None:
        """`y` where there is no field, pressed after the dialog was seen; Enter then only closes what is applied."""
        action = action_for_key(self.NAME, event.key)
        if self.form.label or action is None or action.id not in ("confirm", "submit"):
            return
        event.stop()
        if action.id == "submit":
            if self.applied:
                self.dismiss(None)
        elif self.accepts(event.time) and not self.refused("confirm") and not self.applied:
            self.ask()

    def action_submit(self) -> None:
        """Enter, where no field has the keys."""
        if self.form.label or self.applied:
            self.submit()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""
        form = self.form
        if self.busy or form.blocks():
            return
        typed = clean(self.query_one("#typed", Prompt).value, one_line=True).strip() if form.label else ""
        if form.target and typed != form.target:
            self.fail(InputError("That is not its name.", f"Type {form.target} to {form.verb}."))
        elif form.empty and not typed:
            self.fail(InputError("Nothing was typed.", form.empty))
        else:
            basis = form.basis()
            request_id = self._request_ids.setdefault((basis, typed), uuid4().hex)
            answer = form.send(typed, request_id, basis)
            if answer is None:
                self.dismiss(None)
            else:
                self.send(lambda: answer)
