"""The dialogs that steer a plan: pause, resume, promote, abort."""

from __future__ import annotations

from collections.abc import Awaitable

from quantdeck_console.actions.weight import change_of, who_moves
from quantdeck_console.app import DeckApp
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.rollout_text import STEERED, left_of_step
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_console.screens.on_gateways import on_gateways
from quantdeck_core.fleet.cells import plural, weight
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Steering, SteerRollout
from quantdeck_core.rollout.progress import Phase, RolloutProgress

_GOES_ON: tuple[Phase, ...] = ("waiting", "soaking", "pending")
_PHASES: dict[Steering, tuple[Phase, ...]] = {
    "pause": _GOES_ON,
    "resume": ("paused",),
    "promote": (*_GOES_ON, "paused"),
    "abort": (*_GOES_ON, "paused", "done", "rolled-back"),
}
_FIELDS: dict[Steering, tuple[Field, ...]] = {
    "pause": (Field(label="why"),),
    "resume": (Field(label="why"),),
    "promote": (Field(label="why", empty="Say why the rest of this step may be skipped; it is recorded."),),
    "abort": (),
}


def pausing(experiment: ExperimentStatus) -> Steering:
    """What `p` does: a paused plan goes on."""
    return "resume" if experiment.progress and experiment.progress.phase == "paused" else "pause"


def cannot_steer(experiment: ExperimentStatus, action: Steering) -> str:
    """Why a plan cannot be steered so, or nothing."""
    plan = experiment.progress
    if plan is None:
        return "no plan runs; `quantdeck rollout start FILE` begins one"
    return "" if plan.phase in _PHASES[action] else f"the plan {plan.name} is {plan.phase}"


def steer_form(deck: DeckApp, host: str, experiment: ExperimentStatus, action: Steering) -> Form:
    """Says what it would do. Only `abort` asks for no reason: it waits for `y`."""

    def make(host: str, experiment: ExperimentStatus) -> Form:
        def now() -> ExperimentStatus:
            return deck.model.experiment(host, experiment.name) or experiment

        def send(typed: Typed, request_id: str, revision: int) -> Awaitable[Applied]:
            reason = typed[0] if typed else f"aborted in the console by {deck.by}"
            ask = SteerRollout(request_id=request_id, by=deck.by, action=action, revision=revision, reason=reason)
            return deck.link.ask(host, lambda client: client.steer(experiment.name, ask))

        return Form(
            host=host,
            title=f"{action} the rollout of {experiment.name} on {host}",
            verb=f"{action} it",
            lines=lambda: _lines(now(), action),
            fields=_FIELDS[action],
            basis=lambda: now().state.revision,
            send=send,
            change=lambda: change_of(now().state.weight_bp, _after(now(), action)),
            done=STEERED[action],
        )

    return on_gateways(deck, host, experiment, make, lambda one: not cannot_steer(one, action))


def _after(experiment: ExperimentStatus, action: Steering) -> int:
    """The weight that it leads to, in basis points."""
    plan, now_bp = experiment.progress, experiment.state.weight_bp
    if action == "abort":
        return 0
    return plan.next_bp if action == "promote" and plan and plan.next_bp is not None else now_bp


def _lines(experiment: ExperimentStatus, action: Steering) -> list[Line]:
    plan = experiment.progress
    if plan is None:
        return [EMPTY, line(span(" its plan has ended", "dim")), EMPTY]
    step = f"{plan.name}, step {plan.step} of {plan.steps}, {plan.phase} at {weight(experiment.state.weight_bp)}"
    return [EMPTY, *wrapped(step, WIDTH, "strong", most=1), *_does(experiment, plan, action), EMPTY]


def _does(experiment: ExperimentStatus, plan: RolloutProgress, action: Steering) -> list[Line]:
    now_bp = experiment.state.weight_bp
    match action:
        case "pause":
            text = f"It stays where it is: {weight(now_bp)} of users keep the treatment, and no soak is counted."
            return wrapped(text, WIDTH)
        case "resume":
            following = f" Next is {weight(plan.next_bp)}." if plan.next_bp is not None else ""
            return [*wrapped(f"It goes on from {weight(now_bp)}.{following}", WIDTH), *_waits(plan)]
        case "promote":
            return [*_promotes(experiment, plan), *_waits(plan)]
        case "abort":
            return _aborts(experiment)


def _promotes(experiment: ExperimentStatus, plan: RolloutProgress) -> list[Line]:
    skipped = left_of_step(plan)
    lines = wrapped(f"skips {skipped}" if skipped else "nothing of this step is left to skip", WIDTH, most=1)
    if plan.next_bp is None:
        return [*lines, line(" The last step: the plan is done, and the weight stays.")]
    change = change_of(experiment.state.weight_bp, plan.next_bp)
    return [
        *lines,
        line(" ", span(f"{weight(plan.next_bp)} of users: {change}", "strong")),
        *wrapped(who_moves(experiment, plan.next_bp), WIDTH, most=2),
    ]


def _waits(plan: RolloutProgress) -> list[Line]:
    """What it waits for; what keeps people safe is skipped by no reason."""
    return [one for text in plan.waits_for[:3] for one in wrapped(f"waits for: {text}", WIDTH, "dim", most=2)]


def _aborts(experiment: ExperimentStatus) -> list[Line]:
    now_bp = experiment.state.weight_bp
    if experiment.state.latched or now_bp == 0:
        return [line(" It ends the plan; nobody is on the treatment, so nobody moves.")]
    under_way = f"{plural(experiment.treatment.in_flight, 'treated answer')} under way, which run to their end"
    lines = [
        line(" It ends the plan, and everyone goes back to the control:"),
        line("   ", span(change_of(now_bp, 0), "strong"), f"  {under_way}"),
        line(" No latch: nothing is broken, and another plan may start at once."),
    ]
    if not experiment.control.ready:
        lines += wrapped("! the control is not ready, so this is refused; p pauses the plan", WIDTH, "warn")
    return lines
