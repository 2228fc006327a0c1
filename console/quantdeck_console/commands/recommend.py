"""`quantdeck recommend --gpu G (--model-size 70B | PATH)`: which format, engine and division, with reasons."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import get_args

import quantdeck_profiles
from quantdeck_console.commands.common import emit, parser_for, positive
from quantdeck_console.device_source import add_devices_option, load_devices
from quantdeck_console.plan_request import parse_size
from quantdeck_console.recommend_report import report_lines
from quantdeck_console.recommend_request import parse_parameters, question_of
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.errors import ExitCode
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.plan import plan
from quantdeck_core.recommend.options import parse_options
from quantdeck_core.recommend.question import Calibration, Priority, Use
from quantdeck_core.recommend.recommend import recommend
from quantdeck_profiles import data

_SHOWN = 3
"""Answers with their reasons that fit on a screen or two."""


def main(argv: list[str]) -> int:
    """Judge, plan and rank every format of the table; 0 with an answer, 3 where nothing fits."""
    options = _parser().parse_args(argv)
    devices = load_devices(options.devices)
    table = parse_options(data.text("recommendations"))
    said = recommend(
        question_of(options, table, devices),
        table,
        parse_rules(data.text("compatibility")),
        functools.partial(plan, given=parse_estimates(data.text("memory"))),
        tuple(devices),
        quantdeck_profiles.names(),
    )
    lines = report_lines(said, options.top or _SHOWN, rejected=options.rejected)
    emit(options.json, said, lines)
    return ExitCode.DONE if said.answers else ExitCode.NO


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(
        "recommend",
        "Which format, engine and division among GPUs suit a model and a machine, with reasons.",
        fleet=False,
    )
    parser.add_argument("subject", nargs="?", metavar="PATH", help="a model's folder, a GGUF file, or a profile")
    parser.add_argument("--model-size", type=parse_parameters, metavar="N", help="in place of PATH, e.g. 70B or 600M")
    parser.add_argument("--gpu", required=True, metavar="NAME[:COUNT]", help="where, e.g. a100-80gb:4, l4, cpu")
    parser.add_argument("--first", choices=get_args(Priority), default="balance", help="what comes first")
    parser.add_argument("--context", type=positive, metavar="N", help="tokens of a sequence; above 2000 it is long")
    parser.add_argument("--sequences", type=positive, metavar="N", help="that must all have room, over all replicas")
    parser.add_argument("--use", choices=get_args(Use), default="production", help="default: %(default)s")
    parser.add_argument(
        "--calibration",
        choices=get_args(Calibration),
        default="matched",
        help="whether text for calibration is like the traffic (default: %(default)s)",
    )
    parser.add_argument("--interconnect", choices=("nvlink", "pcie"), help="in place of what the device table says")
    parser.add_argument("--memory", type=parse_size, metavar="SIZE", help="RAM, e.g. 64GiB (default: this machine's)")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="where profiles find their models")
    parser.add_argument("--top", type=positive, metavar="N", help=f"answers to show (default {_SHOWN}; JSON has all)")
    parser.add_argument("--rejected", action="store_true", help="show what is not recommended too, and why")
    add_devices_option(parser)
    return parser
