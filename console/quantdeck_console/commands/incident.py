"""`quantdeck incident EXPERIMENT`: what happened, when it began, whom it hits, and whether it is the quantization."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from quantdeck_console.commands.changes import find_experiment
from quantdeck_console.commands.common import emit, parser_for, positive, run_with_fleet, who
from quantdeck_console.incident_file import require_new, without_prompts, write_incident
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.link.incident_client import IncidentClient
from quantdeck_console.plain.incident import incident_lines
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.incident import IncidentReport, ReplayAsk


def main(argv: list[str]) -> int:
    """Show the story of an experiment on each host that runs it."""
    parser = parser_for("incident", "What happened to an experiment: findings, timeline, trends.")
    parser.add_argument("experiment")
    parser.add_argument("--replay", action="store_true", help="ask the flagged prompts again, on both arms")
    parser.add_argument(
        "--most", type=positive, default=20, help="with --replay: so many prompts (default: %(default)s)"
    )
    parser.add_argument("--export", type=Path, help="write all of it to a file; with --replay the prompts too")
    options = parser.parse_args(argv)
    if options.export:
        require_new(options.export)
    told = run_with_fleet(options, lambda fleet: _reports(fleet, options))
    if options.export:
        write_incident(options.export, [report for report, _ in told])
    lines = [line for report, experiment in told for line in (*incident_lines(report, experiment), "")]
    emit(options.json, [without_prompts(report) for report, _ in told], lines[:-1])
    return 0


async def _reports(fleet: Fleet, options: argparse.Namespace) -> list[tuple[IncidentReport, ExperimentStatus]]:
    found, silent = await find_experiment(fleet, options.experiment)
    if not found:
        raise next(iter(silent.values()))
    reports = []
    for host, experiment in found:
        async with client_of(host, IncidentClient) as client:
            report = await client.incident(experiment.name)
            if options.replay:
                wish = ReplayAsk(most=min(options.most, 128), prompts=options.export is not None, by=who())
                report = msgspec.structs.replace(report, replay=await client.replay(experiment.name, wish))
        reports.append((report, experiment))
    return reports
