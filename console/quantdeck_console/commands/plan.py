"""`quantdeck plan PROFILE|PATH`: does it fit, how often, and what would make it fit."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from quantdeck_console.commands.common import emit, parser_for
from quantdeck_console.ledger_source import add_ledger_option, known_entries
from quantdeck_console.plan_options import add_plan_options
from quantdeck_console.plan_report import Report, report_lines
from quantdeck_console.plan_request import Request, request_of
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.errors import ExitCode
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.memory.advice import Advice, advise
from quantdeck_core.memory.change import changes
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.experience import experience
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import Load
from quantdeck_core.memory.plan import Plan, plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.text import clean
from quantdeck_ledger.ledger import LedgerError
from quantdeck_profiles import data


def main(argv: list[str]) -> int:
    """Plan from headers; 0 when it fits or no device was named, 3 when it does not."""
    options = _parser().parse_args(argv)
    request = request_of(options)
    loads, warnings = _loads(request, None if options.no_ledger else options.ledger)
    report = _report(request, loads, options.engine_version, warnings)
    emit(options.json, report, report_lines(report))
    return ExitCode.NO if report.fits is False or report.problems else ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("plan", "Whether a checkpoint fits, how often, and what would make it fit.", fleet=False)
    add_plan_options(parser)
    add_ledger_option(parser)
    parser.add_argument("--no-ledger", action="store_true", help="without what was measured")
    parser.add_argument("--engine-version", metavar="V", help="use what this one took (default: the last measured)")
    return parser


def _loads(request: Request, ledger: Path | None) -> tuple[tuple[Load, ...], tuple[Advice, ...]]:
    """What was measured of this model; a file that cannot be used stops no plan, but it is said."""
    if ledger is None:
        return (), ()
    try:
        entries = known_entries(ledger, model_digest(request.subject.checkpoint))
        return tuple(entry.load for entry in entries), ()
    except LedgerError as error:
        detail = f"This is the plan without measurements. {error.detail} {error.hint}"
        return (), (Advice(code=error.code, detail=detail),)


def _report(request: Request, loads: tuple[Load, ...], version: str | None, warnings: tuple[Advice, ...]) -> Report:
    given = parse_estimates(data.text("memory"))
    subject, serving, site, devices = request

    def planner(checkpoint: Checkpoint, serving: Serving, site: Site | None) -> Plan:
        known = experience(loads, checkpoint, serving, site, given, version)
        return plan(checkpoint, serving, site, given, known)

    one = planner(subject.checkpoint, serving, site)
    refused = tuple(_refusals(subject.checkpoint, serving.engine, site))
    return Report(
        **{name: getattr(one, name) for name in Plan.__struct_fields__ if name != "problems"},
        subject=clean(subject.title, one_line=True),
        label=subject.checkpoint.label,
        problems=(*refused, *one.problems),
        advice=(*warnings, *advise(one, subject.checkpoint, serving, site)),
        changes=changes(planner, subject.checkpoint, serving, site, tuple(devices)) if site and not one.fits else (),
    )


def _refusals(checkpoint: Checkpoint, engine: str, site: Site | None) -> Iterator[Problem]:
    """Why the engine would not load it, however much memory there is."""
    rules = parse_rules(data.text("compatibility"))
    one = rules.engine_named(engine)
    verdict = judge(rules, checkpoint, one, site.device if site else None)
    verdict = with_architecture(verdict, parse_architectures(data.text("architectures")), checkpoint, one)
    if verdict.verdict == "refused":
        yield Problem(code="refused", detail=f"{engine}: {verdict.reason}", hint=verdict.hint, blocks=True)
