"""`quantdeck stop ENGINE --host HOST`: drain and end an engine."""

from __future__ import annotations

import argparse

from quantdeck_console.commands.common import ask, host_named, new_request_id, parser_for, run_with_fleet, who
from quantdeck_console.commands.following import add_following_options, begin_and_follow, emit_outcome
from quantdeck_console.commands.over_hosts import stop_over_hosts
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.errors import ExitCode
from quantdeck_core.protocol.requests import Stop


def main(argv: list[str]) -> int:
    """Drain and end an engine, and wait until it is gone."""
    parser = parser_for("stop", "Take an engine out of the gateway, let its answers end, then end it.")
    parser.add_argument("engine")
    add_following_options(parser, several=True)
    options = parser.parse_args(argv)
    options.host = options.hosts[0]
    wish = Stop(request_id=new_request_id(), by=who())
    hosts = options.hosts if len(options.hosts) > 1 else run_with_fleet(options, lambda fleet: _parts(fleet, options))
    if len(hosts) > 1:
        return stop_over_hosts(options, hosts, wish)
    applied, operation = begin_and_follow(options, lambda client: client.stop(options.engine, wish))
    emit_outcome(options, applied, operation)
    return ExitCode.DONE


async def _parts(fleet: Fleet, options: argparse.Namespace) -> tuple[str, ...]:
    """All hosts of a model that runs over several, the server's first."""
    found = await ask(host_named(fleet, options.host), lambda client: client.engine(options.engine))
    return next((engine.hosts for engine in found.replicas if engine.hosts), ())
