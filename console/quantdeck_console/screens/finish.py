"""The dialogs about the end of an experiment and about the way back: finish, discard, drill."""

from __future__ import annotations

from collections.abc import Awaitable

from quantdeck_console.actions.weight import change_of
from quantdeck_console.app import DeckApp
from quantdeck_console.experiment_text import ended
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_console.screens.on_gateways import on_gateways
from quantdeck_core.fleet.cells import split
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.experiment import ArmSummary, ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Finish


def discards(experiment: ExperimentStatus) -> bool:
    """Nobody is on the treatment: what ends is that."""
    return experiment.state.weight_bp == 0


def cannot_finish(experiment: ExperimentStatus) -> str:
    """Why it cannot end now, or nothing."""
    if experiment.finished:
        return "it has ended"
    if discards(experiment) or experiment.state.stage == "full_quant":
        return ""
    return f"users are split {split(experiment.state.weight_bp)}; it ends with everyone on one arm"


def finish_form(deck: DeckApp, host: str, experiment: ExperimentStatus) -> Form:
    """Says who becomes the baseline; asks for a reason and for the experiment's name."""
    discard = discards(experiment)

    def make(host: str, experiment: ExperimentStatus) -> Form:
        def now() -> ExperimentStatus:
            return deck.model.experiment(host, experiment.name) or experiment

        def send(typed: Typed, request_id: str, revision: int) -> Awaitable[Applied]:
            reason, _ = typed
            ask = Finish(request_id=request_id, by=deck.by, revision=revision, reason=reason, discard=discard)
            return deck.link.ask(host, lambda client: client.finish(experiment.name, ask))

        return Form(
            host=host,
            title=f"{'drop the treatment of' if discard else 'finish'} {experiment.name} on {host}",
            verb="drop it" if discard else "finish it",
            lines=lambda: _lines(now(), discard=discard),
            fields=(
                Field(label="why", empty="Say why, for whoever reads the timeline tomorrow."),
                Field(label=f"type {experiment.name}", target=experiment.name),
            ),
            basis=lambda: now().state.revision,
            send=send,
            change=lambda: change_of(now().state.weight_bp, _after(discard)),
            done=ended(discard=discard),
        )

    return on_gateways(deck, host, experiment, make, lambda one: not cannot_finish(one) and discards(one) == discard)


def _lines(experiment: ExperimentStatus, *, discard: bool) -> list[Line]:
    control, treatment = experiment.control, experiment.treatment
    kept, dropped = (control, treatment) if discard else (treatment, control)
    return [
        EMPTY,
        line(" the baseline is then ", span(_named(kept), "strong")),
        line(" everyone is on it: ", span(change_of(experiment.state.weight_bp, _after(discard)), "strong")),
        *wrapped(
            f"{_named(dropped)} is stopped once the gateway sends nobody there, unless another experiment needs it.",
            WIDTH,
        ),
        line(" The way back is another experiment: there is no rollback after this."),
        *([] if discard else wrapped(f"verdict: {experiment.verdict.reason}", WIDTH, "dim", most=1)),
        EMPTY,
    ]


def _after(discard: bool) -> int:
    """The treatment's weight then, in basis points."""
    return 0 if discard else BUCKETS


def _named(arm: ArmSummary) -> str:
    engines = ", ".join(arm.engines)
    return f"{arm.profile or engines} ({engines})"
