"""`quantdeck latency EXPERIMENT`: how fast an arm's engine answers at 1, 2, 4 and 8 requests at once, or how long users
of both arms wait at present."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import get_args

from quantdeck_console.commands.common import new_request_id, parser_for, who
from quantdeck_console.commands.each_gateway import ask_each
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_console.plain.latency import live_lines
from quantdeck_core.canary.latency import LatencyProfile
from quantdeck_core.engines.latency import Percentiles
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import duration
from quantdeck_core.protocol.canary import LatencyState, MeasureLatency
from quantdeck_core.protocol.distributions import Distributions
from quantdeck_core.protocol.gateway import VariantName


def main(argv: list[str]) -> int:
    """Measure on every gateway that runs the experiment; 3 where that was refused or requests failed."""
    parser = parser_for("latency", "Measure how fast an arm's engine answers, before it has users.")
    parser.add_argument("experiment")
    parser.add_argument("--arm", choices=("both", *get_args(VariantName)), default="treatment")
    parser.add_argument("--with-users", action="store_true", help="also an arm that has users, who will feel it")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--last", action="store_true", help="show what was measured, measure nothing")
    instead.add_argument("--live", action="store_true", help="show how long users of both arms wait, measure nothing")
    parser.add_argument("--whole", action="store_true", help="with --live: since the gateway counts, not only lately")
    options = parser.parse_args(argv)
    if options.live:
        return _show_live(options)
    variants: tuple[VariantName, ...] = get_args(VariantName) if options.arm == "both" else (options.arm,)
    wish = MeasureLatency(request_id=new_request_id(), by=who(), variants=variants, with_users=options.with_users)

    async def question(client: CanaryClient) -> LatencyState:
        if options.last:
            return await client.latency(options.experiment)
        return await client.measure_latency(options.experiment, wish)

    def code(state: LatencyState) -> ExitCode:
        wanted = [state.control if variant == "control" else state.treatment for variant in variants]
        good = not state.error and all(one is not None and one.complete for one in wanted)
        return ExitCode.DONE if good else ExitCode.NO

    return ask_each(options, question, _lines, code)


def _show_live(options: argparse.Namespace) -> int:
    """What every gateway counts; 3 where one has told nothing."""

    async def question(client: CanaryClient) -> Distributions:
        return await client.distributions(options.experiment)

    def code(told: Distributions) -> ExitCode:
        return ExitCode.DONE if told.control and told.treatment else ExitCode.NO

    return ask_each(options, question, lambda told: live_lines(told, whole=options.whole), code)


def _lines(state: LatencyState) -> Iterator[str]:
    profiles = [one for one in (state.control, state.treatment) if one is not None]
    if state.error:
        yield f"{state.error.detail} {state.error.hint}".rstrip()
    elif profiles:
        yield "latencies of the engines that serve now, p50/p95/p99"
    else:
        yield "nothing was measured of the engines that serve now" + (", it is under way" if state.running else "")
    for profile in profiles:
        yield from _profile(profile)


def _profile(profile: LatencyProfile) -> Iterator[str]:
    yield f"  {profile.variant} {profile.engine}{f': {profile.note}' if profile.note else ''}"
    for one in profile.levels:
        failed = f", {one.errors} failed" if one.errors else ""
        figures = f"first token {_three(one.ttft)}, between tokens {_three(one.itl)}, whole answer {_three(one.e2e)}"
        yield f"    {one.concurrency} at once: {figures}, {one.tokens_per_s:g} tokens/s{failed}"


def _three(values: Percentiles | None) -> str:
    if values is None:
        return "-"
    return "/".join(duration(ms) for ms in (values.p50_ms, values.p95_ms, values.p99_ms))
