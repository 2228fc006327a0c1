"""The weight dialog: who would move, before anything is sent; on one gateway or on all."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.actions.weight import (
    WeightRequests,
    change_of,
    doubts,
    effects,
    needs_name,
    needs_reason,
    who_moves,
)
from quantdeck_console.model.host_progress import Target
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.change import ChangeDialog
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_core.errors import InputError
from quantdeck_core.fleet.cells import split, weight
from quantdeck_core.fleet.state import HostView
from quantdeck_core.hashing import bp_to_percent, percent_to_bp
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, ChangeWeight
from quantdeck_core.text import clean


class WeightDialog(ChangeDialog):
    """Asks for a percentage; Enter applies, Esc leaves."""

    NAME = "weight"
    BINDINGS = bindings_of("weight")
    DEFAULT_CSS = """
    WeightDialog #name { display: none; }
    WeightDialog #name.-open { display: block; }
    """

    def __init__(self, view: HostView, experiment: ExperimentStatus, by: str, others: list[str]) -> None:
        super().__init__(view.name, others)
        self.experiment = experiment
        self._requests = WeightRequests(by)

    def title_text(self) -> str:
        """Which experiment, where."""
        return f"weight of {self.experiment.name} on {self.host}"

    def compose_content(self) -> ComposeResult:
        """What is, the new share, why, and what it would do."""
        yield Lines(id="now")
        share = bp_to_percent(self.experiment.state.weight_bp)
        yield Prompt(id="share", label="new", value=share, width=9, restrict=r"[0-9.%]*", after="% of users")
        yield Prompt(id="why", label="why")
        yield Prompt(id="name", label=f"type {self.experiment.name} to send everyone to the treatment", width=24)
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once; nothing is applied before the dialog was seen."""
        super().opened()
        self._prompt("share").field.focus()

    def fill(self) -> None:
        """Show the present split, the preview and the answer."""
        state, sent = self.experiment.state, self.run_state is not None
        now = [EMPTY, line(span(" now ", "dim"), f"{weight(state.weight_bp)} of users, {split(state.weight_bp)}")]
        self.query_one("#now", Lines).show([] if sent else now)
        name = self._prompt("name")
        name.set_class(self._wants_name() and not sent, "-open")
        name.field.disabled = not self._wants_name() or sent
        for one in ("share", "why"):
            self._prompt(one).display = not sent
        self.query_one("#answer", Lines).show([*self._preview(), *self.answer_lines("apply")])

    def _preview(self) -> list[Line]:
        if self.over or self.busy or self.run_state:
            return []
        new_bp = self._weight()
        if new_bp is None:
            return [EMPTY, line(span(" a percentage from 0 to 100, in steps of 0.01", "dim"))]
        now = self.experiment
        lines = [
            EMPTY,
            line(" ", span(f"{weight(new_bp)} of users: {change_of(now.state.weight_bp, new_bp)}", "strong")),
            *wrapped(who_moves(now, new_bp), WIDTH, most=2),
        ]
        if self.error:  # a low screen has no room for both
            return lines
        if not self.everywhere:
            lines += [one for text in effects(now, new_bp, self._rps()) for one in wrapped(text, WIDTH, "dim", most=1)]
        return lines + [one for text in doubts(now, new_bp) for one in wrapped(f"! {text}", WIDTH, "warn", most=1)]

    def _rps(self) -> float | None:
        """Requests a second: those of the gateway, where it splits nothing else."""
        view = self.concerns()
        status = view.status if view else None
        if status is None or status.gateway is None or len(status.experiments) != 1:
            return None
        return status.gateway.rps

    def _weight(self) -> int | None:
        try:
            return percent_to_bp(self._prompt("share").value)
        except InputError:
            return None

    def _wants_name(self) -> bool:
        new_bp = self._weight()
        return new_bp is not None and needs_name(self.experiment.state.weight_bp, new_bp)

    def _prompt(self, name: str) -> Prompt:
        return self.query_one(f"#{name}", Prompt)

    def action_apply_weight(self) -> None:
        """Enter."""
        self.submit()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""
        try:
            new_bp = percent_to_bp(self._prompt("share").value)
        except InputError as error:
            self.fail(error)
            return
        reason = clean(self._prompt("why").value, one_line=True).strip()
        asked = [one for _, one in self._gateways()] if self.everywhere else [self.experiment]
        if not reason and any(needs_reason(one, new_bp) for one in asked):
            self._prompt("why").field.focus()
            self.fail(InputError("It goes past the plan.", "Say why; it is recorded."))
            return
        if self._wants_name() and self._prompt("name").value != self.experiment.name:
            self._prompt("name").field.focus()
            self.fail(InputError("This sends everyone to the treatment.", f"Type {self.experiment.name} to do it."))
            return
        if self.everywhere:
            self._send_everywhere(new_bp, reason)
        else:
            request = self._requests.request(new_bp, self.experiment.state.revision, reason)
            self.send(lambda: self._change(self.host, request))

    async def _change(self, host: str, request: ChangeWeight) -> Applied:
        return await self.deck.link.ask(host, lambda client: client.change_weight(self.experiment.name, request))

    def _send_everywhere(self, new_bp: int, reason: str) -> None:
        requests = {
            view.name: self._requests.request(new_bp, one.state.revision, reason) for view, one in self._gateways()
        }
        self.send_everywhere(
            HostRun(
                [Target(host=host, change=change) for host, change in self.changes()],
                lambda target: self._change(target.host, requests[target.host]),
                key=f"weight {self.experiment.name}",
                subject=f"weight of {self.experiment.name}",
                done=f"{weight(new_bp)} of users are on the treatment",
                clock=self.deck.model.clock,
                changed=self.deck.draw_soon,
            )
        )

    def _gateways(self) -> list[tuple[HostView, ExperimentStatus]]:
        """Those that the dialog was opened for, as they are now."""
        return [
            (view, one)
            for view, one in self.deck.model.gateways(self.experiment.name)
            if view.name in (self.host, *self.others)
        ]

    def changes(self) -> list[tuple[str, str]]:
        """The split before and after on each gateway."""
        new_bp = self._weight()
        if new_bp is None:
            return []
        return [(view.name, change_of(one.state.weight_bp, new_bp)) for view, one in self._gateways()]

    def was_refused(self) -> None:
        """Show the split as it is now."""
        view = self.concerns()
        self.experiment = (view.experiment(self.experiment.name) if view else None) or self.experiment
