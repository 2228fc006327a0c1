"""The measure dialog: what an engine would be asked, and whether anybody feels it."""

from __future__ import annotations

from quantdeck_console.app import DeckApp
from quantdeck_console.model.text import EMPTY, Line, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_core.canary.latency import CONCURRENCY, MAX_TOKENS, requests_at
from quantdeck_core.fleet.cells import weight
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.canary import MeasureLatency
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.requests import Applied


def measure_form(deck: DeckApp, host: str, experiment: ExperimentStatus, variant: VariantName) -> Form:
    """Waits for `y` where the arm has no users, else for the experiment's name: they would feel it."""

    def now() -> ExperimentStatus:
        return deck.model.experiment(host, experiment.name) or experiment

    has_users = users_bp(experiment, variant) > 0

    async def send(typed: Typed, request_id: str, basis: int) -> Applied:
        del typed, basis
        wish = MeasureLatency(request_id=request_id, by=deck.by, variants=(variant,), with_users=has_users)
        await deck.link.ask(host, lambda client: client.begin_latency(experiment.name, wish))
        return Applied(revision=0, detail=f"the {variant} is being measured; the pane shows what comes of it")

    return Form(
        host=host,
        title=f"measure the {variant} of {experiment.name} on {host}",
        verb="measure",
        lines=lambda: _lines(now(), variant),
        fields=(Field(label=f"type {experiment.name} to measure it with users", target=experiment.name),)
        if has_users
        else (),
        send=send,
    )


def users_bp(experiment: ExperimentStatus, variant: VariantName) -> int:
    """Basis points of users on an arm."""
    share = experiment.state.weight_bp
    return share if variant == "treatment" else BUCKETS - share


def _lines(experiment: ExperimentStatus, variant: VariantName) -> list[Line]:
    arm = experiment.control if variant == "control" else experiment.treatment
    asked = sum(map(requests_at, CONCURRENCY))
    share = users_bp(experiment, variant)
    return [
        EMPTY,
        *wrapped(
            f"At most {asked} answers of {MAX_TOKENS} tokens are streamed from {next(iter(arm.engines), 'it')}, past "
            f"the gateway, up to {CONCURRENCY[-1]} at once. It is under load as long as that takes.",
            WIDTH,
        ),
        EMPTY,
        *(
            wrapped(
                f"{weight(share)} of users are on it and will feel it. It ends early where they wait.", WIDTH, "warn"
            )
            if share
            else wrapped("It has no users.", WIDTH, "strong")
        ),
        *([EMPTY] if share else []),
    ]
