"""`quantdeck stop ENGINE --host HOST`: drain and end an engine."""

from __future__ import annotations

from quantdeck_console.commands.common import (
    ask,
    emit,
    host_named,
    new_request_id,
    parser_for,
    run_with_fleet,
    who,
)
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.protocol.requests import Applied, Stop


def main(argv: list[str]) -> int:
    """Begin to drain and end an engine."""
    parser = parser_for("stop", "Take an engine out of the gateway, let its answers end, then end it.")
    parser.add_argument("engine")
    parser.add_argument("--host", required=True, help="host of the fleet")
    options = parser.parse_args(argv)

    async def work(fleet: Fleet) -> Applied:
        wish = Stop(request_id=new_request_id(), by=who())
        return await ask(host_named(fleet, options.host), lambda client: client.stop(options.engine, wish))

    applied = run_with_fleet(options, work)
    emit(options.json, applied, [f"{options.host}: {applied.detail}"])
    return 0
