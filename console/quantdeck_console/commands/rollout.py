"""`quantdeck rollout start FILE|status|pause|resume|promote|abort`: a plan that moves users on by itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from quantdeck_console.commands.changes import change_experiment, find_experiment
from quantdeck_console.commands.common import (
    add_fleet_option,
    ask,
    emit,
    new_request_id,
    read_text,
    run_with_fleet,
    who,
)
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.rollout_text import STEERED, progress_lines
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, StartRollout, SteerRollout
from quantdeck_core.rollout.plan_file import read_rollout
from quantdeck_core.rollout.progress import RolloutProgress


def main(argv: list[str]) -> int:
    """Start, show or steer a rollout."""
    options = _parser().parse_args(argv)
    match options.action:
        case "start":
            return _start(options)
        case "status":
            return _status(options)
        case _:
            return _steer(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck rollout", description="A plan that moves users on by itself.")
    actions = parser.add_subparsers(dest="action", required=True)
    start = actions.add_parser("start", help="from a TOML file, for an experiment that exists")
    start.add_argument("file", type=Path)
    start.add_argument("--skip-soak-reason", default="", help="why less than 24 hours at up to 10 %% are enough")
    status = actions.add_parser("status", help="where it stands, and what it waits for")
    steering = [
        actions.add_parser("pause", help="hold it where it is; the weight stays"),
        actions.add_parser("resume", help="let it go on"),
        actions.add_parser("promote", help="skip the rest of this step"),
        actions.add_parser("abort", help="end it: everyone on the control, without a latch"),
    ]
    for one in (status, *steering):
        one.add_argument("experiment")
    for one in (start, *steering):
        required = one in steering[2:]
        one.add_argument("--reason", required=required, default="", help="for the timeline")
    for one in (start, status, *steering):
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
        add_fleet_option(one)
    return parser


def _start(options: argparse.Namespace) -> int:
    plan = read_rollout(read_text(options.file), str(options.file), options.skip_soak_reason)
    request_id = new_request_id()

    async def change(client: AgentClient, experiment: ExperimentStatus) -> Applied:
        revision = experiment.state.revision
        wish = StartRollout(request_id=request_id, by=who(), plan=plan, revision=revision, reason=options.reason)
        return await client.start_rollout(plan.experiment, wish)

    return change_experiment(options, plan.experiment, change, f"{plan.name} started, its gates are looked at")


def _status(options: argparse.Namespace) -> int:
    async def work(fleet: Fleet) -> dict[str, RolloutProgress | None]:
        found, silent = await find_experiment(fleet, options.experiment)
        if not found:
            raise next(iter(silent.values()))
        progress: dict[str, RolloutProgress | None] = {}
        for host, _ in found:
            try:
                progress[host.name] = await ask(host, lambda client: client.rollout(options.experiment))
            except RemoteError as error:
                if error.status != 404:
                    raise
                progress[host.name] = None
        return progress

    found = run_with_fleet(options, work)
    lines = [
        line
        for host, one in found.items()
        for line in (progress_lines(host, one) if one else [f"{host}: no rollout of {options.experiment} runs"])
    ]
    emit(options.json, found, lines)
    return 0


def _steer(options: argparse.Namespace) -> int:
    request_id = new_request_id()

    async def change(client: AgentClient, experiment: ExperimentStatus) -> Applied:
        wish = SteerRollout(
            request_id=request_id,
            by=who(),
            action=options.action,
            revision=experiment.state.revision,
            reason=options.reason,
        )
        return await client.steer(options.experiment, wish)

    return change_experiment(options, options.experiment, change, STEERED[options.action])
