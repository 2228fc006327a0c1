"""`quantdeck freeze --reason ...`: hold all automation but rollbacks."""

from __future__ import annotations

import argparse
import asyncio

from quantdeck_console.commands.changes import Outcome, exit_code
from quantdeck_console.commands.common import ask, emit, new_request_id, parse_reason, parser_for, run_with_fleet, who
from quantdeck_console.freeze_text import FROZEN, UNFROZEN
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.requests import Applied, FreezeAsk


def main(argv: list[str]) -> int:
    """Freeze the fleet, or the hosts that are named."""
    return run("freeze", "Hold every rollout of the fleet where it is. Rollbacks still happen.", argv)


def run(command: str, description: str, argv: list[str]) -> int:
    """Ask every host of the fleet, or those that are named."""
    parser = parser_for(command, description)
    parser.add_argument("--reason", required=True, help="for the timeline")
    parser.add_argument("--host", action="append", default=[], help="only this one; may be given several times")
    options = parser.parse_args(argv)
    wish = FreezeAsk(request_id=new_request_id(), by=who(), reason=parse_reason(options.reason))
    results = run_with_fleet(options, lambda fleet: _everywhere(fleet, options, command, wish))
    outcomes = {name: Outcome.of(one) for name, one in results.items()}
    done = f"frozen: {FROZEN}" if command == "freeze" else UNFROZEN
    emit(options.json, outcomes, (f"{name}: {outcome.line(done)}" for name, outcome in outcomes.items()))
    return exit_code(results)


async def _everywhere(
    fleet: Fleet, options: argparse.Namespace, command: str, wish: FreezeAsk
) -> dict[str, Applied | QuantdeckError]:
    hosts = [host for host in fleet.host if not options.host or host.name in options.host]

    async def one(host: Host) -> Applied | QuantdeckError:
        try:
            return await ask(host, lambda client: client.freeze(wish) if command == "freeze" else client.unfreeze(wish))
        except QuantdeckError as error:
            return error

    return dict(zip((host.name for host in hosts), await asyncio.gather(*map(one, hosts)), strict=True))
