"""The drill dialog: rehearse a rollback, and say whether it would work."""

from __future__ import annotations

from quantdeck_console.app import DeckApp
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Form, Typed
from quantdeck_core.errors import ConflictError
from quantdeck_core.fleet.cells import age, plural
from quantdeck_core.protocol.drill import Drill
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.drill import drill_text


class DrillFailedError(ConflictError):
    """It went through, and a rollback would not have worked."""

    code = "drill-failed"
    title = "A rollback would not work"


def drill_form(deck: DeckApp, host: str, experiment: ExperimentStatus) -> Form:
    """`y` rehearses; nobody is moved."""

    def now() -> ExperimentStatus:
        return deck.model.experiment(host, experiment.name) or experiment

    async def send(_typed: Typed, request_id: str, _basis: int) -> Applied:
        ask = Drill(request_id=request_id, by=deck.by)
        record = await deck.link.ask(host, lambda client: client.drill(experiment.name, ask))
        if not record.passed:
            raise DrillFailedError("; ".join(record.failed), "Mend that first, then rehearse again.")
        return Applied(revision=0, detail=drill_text(record))

    return Form(
        host=host,
        title=f"drill: rehearse a rollback of {experiment.name} on {host}",
        verb="rehearse",
        lines=lambda: _lines(now(), len(deck.model.gateways(experiment.name)), deck.model.clock()),
        send=send,
        done="a rollback would work",
    )


def _lines(experiment: ExperimentStatus, gateways: int, now: float) -> list[Line]:
    last = experiment.rollback.last_drill
    if last is None:
        said = "it was never rehearsed"
    else:
        said = f"last by {last.by or 'somebody'} {age(now - last.t)} ago: {drill_text(last)}"
    command = f"`quantdeck drill {experiment.name}` rehearses on all {plural(gateways, 'gateway')}"
    return [
        EMPTY,
        line(" Every replica of the control is asked for a token, past the gateway."),
        line(" The gateway acknowledges a config that changes nothing. Nobody is moved."),
        EMPTY,
        *wrapped(said, WIDTH, "dim", most=3),
        *([line(span(f" {command}", "dim"))] if gateways > 1 else []),
        EMPTY,
    ]
