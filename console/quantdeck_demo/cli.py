"""`quantdeck demo`: everything on this machine, in the console or headless."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import msgspec

from quantdeck_console.terminal import display_of, prepare, require_terminal
from quantdeck_core.errors import ExitCode, InputError
from quantdeck_demo.checkpoints import Models, OwnModels, prepare_models
from quantdeck_demo.footprint import Footprint
from quantdeck_demo.place import Place

DEFAULT_PORT = 8088
MIN_SECONDS = 30.0
HEADLESS_RATE, CONSOLE_RATE = 24.0, 12.0
"""Requests per second: enough for a verdict in a few seconds, little enough to leave two cores alone."""


def main(argv: list[str]) -> int:
    """Run the demo.

    Raises:
        QuantdeckError: something is missing or taken; nothing is left running.
    """
    options = _parser().parse_args(argv)
    seconds = parse_seconds(options.duration)
    if options.headless and seconds < MIN_SECONDS:
        raise InputError(
            f"{seconds:g} s is too short: 200 users have to be seen twice.", f"Give --for {MIN_SECONDS:g}s or more."
        )
    if not options.headless:
        prepare(os.environ, display_of(os.environ))
        require_terminal()
    own = OwnModels.checked(options.model, options.treatment_model)
    place = Place()
    try:
        models = prepare_models(own, _say)
        with contextlib.suppress(asyncio.CancelledError):
            return asyncio.run(
                _headless(options, place, models, seconds) if options.headless else _console(options, place, models)
            )
        return 130
    finally:
        place.leave()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantdeck demo", description="Two hosts, real engines, real traffic and a rollback, on this machine."
    )
    parser.add_argument("--headless", action="store_true", help="no console: run a fixed course and report figures")
    parser.add_argument("--for", dest="duration", default="90s", metavar="TIME", help="length of a headless run (90s)")
    parser.add_argument("--json", action="store_true", help="the report as JSON, progress on stderr")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the gateway's port, 0 for any (%(default)s)")
    parser.add_argument("--model", type=Path, help="a GGUF of your own for both arms, instead of the tiny one")
    parser.add_argument("--treatment-model", type=Path, help="with --model: its quantized copy for the treatment")
    return parser


def parse_seconds(text: str) -> float:
    """`90s`, `2m` or `90` to seconds.

    Raises:
        InputError: it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text.strip())
    if not found:
        raise InputError(f"{text!r} is not a length of time.", "For example 90s or 2m.")
    return float(found.group(1)) * (60 if found.group(2) == "m" else 1)


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


@contextlib.asynccontextmanager
async def _ends_in_order() -> AsyncIterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does: everything that was started is ended first."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    yield


async def _headless(options: argparse.Namespace, place: Place, models: Models, seconds: float) -> int:
    from quantdeck_demo.headless import Course
    from quantdeck_demo.model import sample_prompts
    from quantdeck_demo.setup import EXPERIMENT, deploy_everything, hosts_up
    from quantdeck_demo.split_check import SplitCheck
    from quantdeck_demo.traffic import Traffic

    footprint = Footprint()
    async with _ends_in_order(), hosts_up(place, models, options.port, _say) as stage:
        measuring = asyncio.create_task(footprint.run())
        _say("starting engines")
        ready_s = await deploy_everything(stage)
        check = SplitCheck(EXPERIMENT)
        traffic = Traffic(stage.gateway_url, "assistant", sample_prompts(400, Random(7)), check, HEADLESS_RATE)
        report = await Course(stage, traffic, check, seconds, _say).run()
        measuring.cancel()
    report.engines_ready_s = round(ready_s, 2)
    report.peak_rss_mib = round(footprint.peak_bytes / 2**20, 1)
    report.judge()
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    else:
        sys.stdout.write("\n".join(report.lines()) + "\n")
    return ExitCode.FAILED if report.not_held else ExitCode.DONE


async def _console(options: argparse.Namespace, place: Place, models: Models) -> int:
    from quantdeck_demo.console import run_console

    async with _ends_in_order():
        return await run_console(place, models, options.port, CONSOLE_RATE, _say)
