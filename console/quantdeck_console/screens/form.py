"""A dialog made of a form: what would be done, what is to be typed, and one change, here or on all gateways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from textual import events
from textual.app import ComposeResult

from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.model.host_progress import Target
from quantdeck_console.model.text import Line, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.change import ChangeDialog
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.text import clean

Typed = tuple[str, ...]
"""What stands in each field of a form."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One line to type into.

    Attributes:
        value: stands there at first.
        empty: what to say where nothing was typed; without it, that is fine.
        target: has to be typed as it is, for what is worse than a rollback.
    """

    label: str
    value: str = ""
    empty: str = ""
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a dialog says and does.

    Attributes:
        host: whose agent is asked.
        verb: what its key does, e.g. `freeze`.
        lines: what would happen, as the model is now; drawn anew with every change of the model.
        fields: without one, `y` confirms and Enter does not.
        basis: what the change is based on, e.g. the experiment's revision: the same words on the same basis are the
            same request however often they are sent.
        blocks: why it cannot be done as it is said, or nothing; asked anew with every change of the model.
        send: asks for it; what was typed, a request id, the basis. None where it goes on without the dialog.
        others: the same change on other hosts, which may be asked for with it.
        change: what it changes on this host, e.g. `90/10 -> 100/0`, as it is now; said of each where there are several.
        done: what holds once it is applied.
        noun: what a host is here.
        everywhere: it is for all of them, and there is no choice; then it goes on when the dialog is closed.
        key: of such a change: the next one of the same key takes its place.
    """

    host: str
    title: str
    verb: str
    lines: Callable[[], list[Line]]
    send: Callable[[Typed, str, int], Awaitable[Applied] | None]
    fields: tuple[Field, ...] = ()
    basis: Callable[[], int] = lambda: 0
    blocks: Callable[[], str] = lambda: ""
    others: tuple[Form, ...] = ()
    change: Callable[[], str] = lambda: ""
    done: str = ""
    noun: str = "gateway"
    everywhere: bool = False
    key: str = ""


class FormDialog(ChangeDialog):
    """Enter sends what was typed; a form without a field waits for `y`."""

    NAME = "form"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("form", but="confirm")

    def __init__(self, form: Form) -> None:
        super().__init__(form.host, [other.host for other in form.others], everywhere=form.everywhere)
        self.form = form
        self._request_ids: dict[tuple[tuple[int, ...], Typed], str] = {}

    def title_text(self) -> str:
        """What is asked."""
        return self.form.title

    def compose_content(self) -> ComposeResult:
        """What would happen, the fields, the answer."""
        yield Lines(id="does")
        for number, field in enumerate(self.form.fields):
            yield Prompt(id=f"field-{number}", label=field.label, value=field.value)
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once."""
        super().opened()
        if self.form.fields:
            self._prompt(0).field.focus()

    def fill(self) -> None:
        """Show what would happen, and the answer."""
        form = self.form
        blocks = wrapped(f"! {form.blocks()}", WIDTH, "warn", most=4) if form.blocks() else []
        self.query_one("#does", Lines).show([] if self.run_state else [*form.lines(), *blocks])
        for number in range(len(self.form.fields)):
            self._prompt(number).display = not self.run_state
        key = "Enter" if self.form.fields else "y"
        self.query_one("#answer", Lines).show(self._answer(key))

    def _answer(self, key: str) -> list[Line]:
        return self.answer_lines(self.form.verb, key, noun=self.form.noun, done=self.form.done)

    def changes(self) -> list[tuple[str, str]]:
        """Of this host and the others."""
        return [(form.host, form.change()) for form in (self.form, *self.form.others)]

    def on_key(self, event: events.Key) -> None:
        """`y` where there is no field, pressed after the dialog was seen; Enter then only closes what is applied."""
        action = action_for_key(self.NAME, event.key)
        if action is None or action.id not in ("confirm", "submit"):
            return
        if action.id == "submit":
            event.stop()
            if self.form.fields or self.over:
                self.submit()
        elif not self.form.fields:
            event.stop()
            if self.accepts(event.time) and not self.refused("confirm") and not self.over and not self.run_state:
                self.ask()

    def action_submit(self) -> None:
        """Enter, where no field has the keys."""
        if self.form.fields or self.over:
            self.submit()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""
        if self.busy or self.form.blocks():
            return
        typed = tuple(
            clean(self._prompt(number).value, one_line=True).strip() for number in range(len(self.form.fields))
        )
        if not self._right(typed):
            return
        forms = (self.form, *self.form.others) if self.everywhere else (self.form,)
        basis = {form.host: form.basis() for form in forms}
        request_id = self._request_ids.setdefault((tuple(basis.values()), typed), uuid4().hex)
        if not self.everywhere:
            answer = self.form.send(typed, request_id, basis[self.host])
            if answer is None:
                self.dismiss(None)
            else:
                self.send(lambda: answer)
            return
        by_host = {form.host: form for form in forms}
        self.send_everywhere(
            HostRun(
                [Target(host=form.host, change=form.change()) for form in forms],
                lambda target: _sent(by_host[target.host], typed, request_id, basis[target.host]),
                key=self.form.key or self.form.title,
                subject=self.form.title,
                done=self.form.done,
                noun=self.form.noun,
                lasting=self.form.everywhere,
                clock=self.deck.model.clock,
                changed=self.deck.draw_soon,
            )
        )

    def _right(self, typed: Typed) -> bool:
        """Whether every field has what it takes; the cursor goes to the first that has not, and then it is said why."""
        for number, (field, text) in enumerate(zip(self.form.fields, typed, strict=True)):
            error = _missing(field, text, self.form.verb)
            if error is None:
                continue
            if self._prompt(number).field.has_focus:
                self.fail(error)
            else:
                self._prompt(number).field.focus()
            return False
        return True

    def _prompt(self, number: int) -> Prompt:
        return self.query_one(f"#field-{number}", Prompt)


async def _sent(form: Form, typed: Typed, request_id: str, basis: int) -> Applied:
    answer = form.send(typed, request_id, basis)
    return await answer if answer else Applied(revision=0)


def _missing(field: Field, typed: str, verb: str) -> InputError | None:
    if field.target and typed != field.target:
        return InputError("That is not its name.", f"Type {field.target} to {verb}.")
    if field.empty and not typed:
        return InputError("Nothing was typed.", field.empty)
    return None
