"""`quantdeck incident EXPERIMENT`: what happened, when it began, whom it hits, and whether it is the quantization."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import msgspec

from quantdeck_console.commands.changes import find_experiment
from quantdeck_console.commands.common import emit, parser_for, positive, run_with_fleet, who
from quantdeck_console.incident_text import incident_lines
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.link.incident_client import IncidentClient
from quantdeck_core.errors import InputError
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
    if options.export and options.export.exists():
        raise InputError(f"{options.export} exists already.", "Choose another name: an incident is not overwritten.")
    reports = run_with_fleet(options, lambda fleet: _reports(fleet, options))
    if options.export:
        _write(options.export, reports)
    lines = [line for report in reports for line in (*incident_lines(_without_prompts(report)), "")]
    emit(options.json, [_without_prompts(report) for report in reports], lines[:-1])
    return 0


async def _reports(fleet: Fleet, options: argparse.Namespace) -> list[IncidentReport]:
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
        reports.append(report)
    return reports


def _without_prompts(report: IncidentReport) -> IncidentReport:
    """Users' words go into the file that was asked for, never to the screen."""
    if report.replay is None:
        return report
    bare = tuple(msgspec.structs.replace(one, prompt="") for one in report.replay.prompts)
    return msgspec.structs.replace(report, replay=msgspec.structs.replace(report.replay, prompts=bare))


def _write(file: Path, reports: list[IncidentReport]) -> None:
    """For its owner only: it may hold what users wrote."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError(
            f"Cannot write {file}: {error.strerror}.", "Choose a folder that exists and is yours."
        ) from None
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(reports), indent=2) + b"\n")
