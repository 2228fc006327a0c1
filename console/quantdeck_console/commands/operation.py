"""`quantdeck operation list|show|cancel --host HOST`: what agents are doing, and what they did lately."""

from __future__ import annotations

import argparse

from quantdeck_console.commands.common import (
    add_fleet_option,
    ask,
    emit,
    host_named,
    new_request_id,
    run_with_fleet,
    who,
)
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.operation_text import operation_lines, progress_line, title
from quantdeck_core.protocol.operation import Operation, OperationList
from quantdeck_core.protocol.requests import Cancel


def main(argv: list[str]) -> int:
    """List, show or cancel."""
    parser = argparse.ArgumentParser(prog="quantdeck operation", description="What an agent does with its engines.")
    actions = parser.add_subparsers(dest="action", required=True)
    for action, summary in (
        ("list", "those under way and the last that ended"),
        ("show", "one of them, step by step; exit code 1 where it failed"),
        ("cancel", "end it and undo what it has begun"),
    ):
        one = actions.add_parser(action, help=summary)
        if action != "list":
            one.add_argument("id", help="as `quantdeck operation list` shows it, e.g. op-7")
        one.add_argument("--host", required=True, help="host of the fleet")
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
        add_fleet_option(one)
    options = parser.parse_args(argv)
    return _list(options) if options.action == "list" else _one(options)


def _list(options: argparse.Namespace) -> int:
    async def work(fleet: Fleet) -> OperationList:
        return await ask(host_named(fleet, options.host), AgentClient.operations)

    found = run_with_fleet(options, work)
    lines = [f"{title(one)}  {progress_line(one)}" for one in found.operations]
    emit(options.json, found, lines or ["nothing goes on, and nothing went on lately"])
    return ExitCode.DONE


def _one(options: argparse.Namespace) -> int:
    async def go(client: AgentClient) -> Operation:
        if options.action == "cancel":
            await client.cancel(options.id, Cancel(request_id=new_request_id(), by=who()))
        return await client.operation(options.id)

    async def work(fleet: Fleet) -> Operation:
        return await ask(host_named(fleet, options.host), go)

    found = run_with_fleet(options, work)
    emit(options.json, found, operation_lines(found))
    return ExitCode.FAILED if options.action == "show" and found.state == "failed" else ExitCode.DONE
