"""`quantdeck experiment create FILE | list | show NAME | clear NAME | finish NAME`."""

from __future__ import annotations

import argparse
from pathlib import Path

from quantdeck_console.commands.changes import change_experiment, effect_of, find_experiment
from quantdeck_console.commands.common import (
    add_fleet_option,
    ask,
    emit,
    host_named,
    new_request_id,
    parse_reason,
    read_text,
    run_with_fleet,
    statuses,
    who,
)
from quantdeck_console.experiment_text import ended
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.plain.experiment import experiment_lines
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.profile.experiment import ExperimentFile
from quantdeck_core.profile.toml_text import decode_toml
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, ClearLatch, CreateExperiment, Finish


def main(argv: list[str]) -> int:
    """Create, list, show and finish experiments, or clear a rollback."""
    options = _parser().parse_args(argv)
    match options.action:
        case "create":
            return _create(options)
        case "clear":
            return _clear(options)
        case "finish":
            return _finish(options)
        case _:
            return _show(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck experiment", description="Two engines side by side.")
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="from a TOML file, at 0 %%")
    create.add_argument("file", type=Path)
    listing = actions.add_parser("list", help="all experiments of the fleet")
    show = actions.add_parser("show", help="both arms side by side")
    clear = actions.add_parser("clear", help="after a rollback: let the treatment start again from 5 %%")
    finish = actions.add_parser("finish", help="the treatment becomes the baseline, the old one is retired")
    for one in (show, clear, finish):
        one.add_argument("experiment")
    finish.add_argument(
        "--discard", action="store_true", help="the other way round: drop the treatment (needs a reason)"
    )
    finish.add_argument("--reason", default="", help="for the timeline")
    clear.add_argument("--reason", required=True, help="what was mended; for the timeline")
    for one in (create, listing, show, clear, finish):
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
        add_fleet_option(one)
    return parser


def _create(options: argparse.Namespace) -> int:
    experiment = decode_toml(read_text(options.file), ExperimentFile, str(options.file))
    wish = CreateExperiment(
        request_id=new_request_id(),
        by=who(),
        name=experiment.name,
        control=experiment.control.engine,
        treatment=experiment.treatment.engine,
        thresholds=experiment.thresholds(),
        traffic=experiment.traffic(),
        canary=experiment.canary,
    )

    async def work(fleet: Fleet) -> Applied:
        host = host_named(fleet, experiment.gateway)
        return await ask(host, lambda client: client.create_experiment(wish))

    applied = run_with_fleet(options, work)
    emit(options.json, applied, [f"{experiment.gateway}: {experiment.name} created at 0 %, {effect_of(applied)}"])
    return 0


def _show(options: argparse.Namespace) -> int:
    async def work(fleet: Fleet) -> dict[str, list[ExperimentStatus]]:
        if options.action == "show":
            found, silent = await find_experiment(fleet, options.experiment)
            if not found:
                raise next(iter(silent.values()))
            return {host.name: [experiment] for host, experiment in found}
        return {
            host: list(status.experiments)
            for host, status in (await statuses(fleet)).items()
            if not isinstance(status, QuantdeckError)
        }

    found = run_with_fleet(options, work)
    lines = [line for host, experiments in found.items() for one in experiments for line in experiment_lines(host, one)]
    emit(options.json, found, lines or ["no experiments"])
    return 0


def _clear(options: argparse.Namespace) -> int:
    reason, request_id = parse_reason(options.reason), new_request_id()

    async def change(client: AgentClient, experiment: ExperimentStatus) -> Applied:
        wish = ClearLatch(request_id=request_id, by=who(), revision=experiment.state.revision, reason=reason)
        return await client.clear_latch(options.experiment, wish)

    return change_experiment(options, options.experiment, change, "cleared, it starts again from 5 %")


def _finish(options: argparse.Namespace) -> int:
    request_id = new_request_id()

    async def change(client: AgentClient, experiment: ExperimentStatus) -> Applied:
        revision = experiment.state.revision
        wish = Finish(
            request_id=request_id, by=who(), revision=revision, reason=options.reason, discard=options.discard
        )
        return await client.finish(options.experiment, wish)

    return change_experiment(options, options.experiment, change, ended(discard=options.discard))
