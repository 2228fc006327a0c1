"""The clear dialog: a rolled-back treatment may go on only when somebody says why."""

from __future__ import annotations

from collections.abc import Awaitable

from quantdeck_console.actions.weight import change_of
from quantdeck_console.app import DeckApp
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_console.screens.on_gateways import on_gateways
from quantdeck_core.fleet.cells import clock, split, weight
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, ClearLatch
from quantdeck_core.rollout.state import RESTART_BP


def clear_form(deck: DeckApp, host: str, experiment: ExperimentStatus) -> Form:
    """Asks for a reason; Enter clears."""

    def make(host: str, experiment: ExperimentStatus) -> Form:
        def now() -> ExperimentStatus:
            return deck.model.experiment(host, experiment.name) or experiment

        def send(typed: Typed, request_id: str, revision: int) -> Awaitable[Applied]:
            (reason,) = typed
            change = ClearLatch(request_id=request_id, by=deck.by, revision=revision, reason=reason)
            return deck.link.ask(host, lambda client: client.clear_latch(experiment.name, change))

        return Form(
            host=host,
            title=f"clear the latch of {experiment.name} on {host}",
            verb="clear the latch",
            lines=lambda: _lines(now()),
            fields=(Field(label="why it may go on", empty="Say why the treatment may have users again."),),
            basis=lambda: now().state.revision,
            send=send,
            change=lambda: change_of(now().state.weight_bp, RESTART_BP),
            done="the treatment may have users again",
        )

    return on_gateways(deck, host, experiment, make, lambda one: one.state.latched)


def _lines(experiment: ExperimentStatus) -> list[Line]:
    state = experiment.state
    return [
        EMPTY,
        *wrapped(f"rolled back {clock(state.since)} by {state.by}: {state.reason}", WIDTH, "", most=3),
        line(
            span(" it starts again at ", "dim"), span(weight(RESTART_BP), "strong"),
            span(f" of users: {split(state.weight_bp)} -> {split(RESTART_BP)}", "dim"),
        ),
        EMPTY,
    ]  # fmt: skip
