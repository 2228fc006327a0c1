"""`quantdeck measure PROFILE|PATH --gpu NAME ...`: keep what a load really took, for the next plan.

`quantdeck measure list` and `quantdeck measure forget` look after what is kept.
"""

from __future__ import annotations

import argparse
import socket
import time
from pathlib import Path

import msgspec

from quantdeck_console.commands.common import emit, parser_for, positive
from quantdeck_console.ledger_source import add_ledger_option, known_entries
from quantdeck_console.measure_report import Recorded, listing, row_lines, row_of
from quantdeck_console.measurement import measurement_of
from quantdeck_console.plan_options import add_plan_options
from quantdeck_console.plan_request import parse_size, request_of
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import ExitCode, InputError, NotFoundError
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.measured import Where, load_of
from quantdeck_ledger.ledger import Entry, Ledger
from quantdeck_profiles import data


def main(argv: list[str]) -> int:
    """Record a measurement, list what is kept, or forget some of it."""
    # A model in a folder of such a name is ./list.
    if argv[:1] == ["list"]:
        return _list(argv[1:])
    if argv[:1] == ["forget"]:
        return _forget(argv[1:])
    return _record(argv)


def _record(argv: list[str]) -> int:
    parser = parser_for("measure", "Keep what a load really took; `list` and `forget` look after it.", fleet=False)
    add_plan_options(parser)
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--total", type=_amount, metavar="SIZE", help="what it takes of the fullest device")
    whole.add_argument("--pid", type=positive, help="measure this process and its children: GPU memory, or RAM")
    parser.add_argument("--log", type=Path, metavar="FILE", help="the engine's log of its start")
    parser.add_argument("--engine-version", type=_version, metavar="V", help="default: what the log says")
    add_ledger_option(parser)
    options = parser.parse_args(argv)
    if options.total is None and options.pid is None and options.log is None:
        raise InputError("Nothing was measured.", "Give --pid PID or --total SIZE, and --log FILE if there is one.")
    if options.host is not None and options.pid is not None:
        raise InputError(
            "--pid is a process of this machine, and --host another one.", "Measure there, or give --total."
        )
    request = request_of(options)
    if request.site is None:
        raise InputError("Where does it run?", "Name the device: --gpu a100-80gb, or --gpu cpu.")
    measured = measurement_of(options, request.site.device)
    if options.engine_version:
        measured = measured._replace(version=options.engine_version)
    load = load_of(
        request.subject.checkpoint,
        request.serving,
        request.site,
        parse_estimates(data.text("memory")),
        measured,
        Where(time.time(), options.host or socket.gethostname(), request.subject.title),
    )
    with Ledger(options.ledger, write=True) as ledger:
        row = row_of(Entry(ledger.record(load), load))
    answer = Recorded(**msgspec.structs.asdict(row), ledger=str(options.ledger))
    emit(options.json, answer, (*row_lines(row), f"  kept in {answer.ledger}"))
    return ExitCode.DONE


def _list(argv: list[str]) -> int:
    parser = parser_for("measure list", "What was measured, oldest first.", fleet=False)
    add_ledger_option(parser)
    options = parser.parse_args(argv)
    rows = [row_of(entry) for entry in known_entries(options.ledger)]
    emit(options.json, {"loads": rows, "ledger": str(options.ledger)}, listing(rows))
    return ExitCode.DONE


def _forget(argv: list[str]) -> int:
    parser = parser_for(
        "measure forget", "Remove measurements: after a mistake, or when a driver changed.", fleet=False
    )
    parser.add_argument("id", type=positive, nargs="*", help="numbers, as `quantdeck measure list` shows them")
    parser.add_argument("--all", action="store_true", help="everything")
    add_ledger_option(parser)
    options = parser.parse_args(argv)
    if bool(options.id) == options.all:
        raise InputError("Which ones?", "Give their numbers, or --all.")
    known = {entry.id for entry in known_entries(options.ledger)}
    if missing := sorted(set(options.id) - known):
        raise NotFoundError(
            f"There is no measurement {missing[0]} in {options.ledger}.", "`quantdeck measure list` shows them."
        )
    gone = 0
    if known:
        with Ledger(options.ledger, write=True) as ledger:
            gone = ledger.forget(None if options.all else options.id)
    emit(options.json, {"forgotten": gone}, [f"forgotten: {gone}"])
    return ExitCode.DONE


def _amount(text: str) -> int:
    amount = parse_size(text)
    if not 0 < amount < 1 << 60:
        raise argparse.ArgumentTypeError(f"{text} is no amount of memory")
    return amount


def _version(text: str) -> str:
    try:
        version_key(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{error.detail} {error.hint}") from None
    return text.strip()
