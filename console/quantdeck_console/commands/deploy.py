"""`quantdeck deploy PROFILE --host HOST`: start an engine, or replace one."""

from __future__ import annotations

import argparse

from quantdeck_console.commands.common import (
    ask,
    emit,
    host_named,
    new_request_id,
    parser_for,
    run_with_fleet,
    who,
)
from quantdeck_console.commands.following import ProgressPrinter, add_following_options
from quantdeck_console.commands.intended import intended_lines
from quantdeck_console.commands.over_hosts import deploy_over_hosts, show_over_hosts
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.profile_source import load_profile
from quantdeck_core.errors import ExitCode
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Applied, Deploy


def main(argv: list[str]) -> int:
    """Start an engine and wait until it is ready."""
    parser = parser_for("deploy", "Start an engine from a profile and wait until it is ready.")
    parser.add_argument("profile", help="name of a built-in profile, or a .toml file")
    parser.add_argument("--name", default="", help="the engine's name there (default: the profile's)")
    parser.add_argument("--replace", action="store_true", help="put it in the place of the one that runs")
    parser.add_argument(
        "--swap", action="store_true", help="with --replace: where both have no room, end the old first"
    )
    parser.add_argument("--force", action="store_true", help="start it although plan or rules say no; it is recorded")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, on the host as it is now")
    add_following_options(parser, several=True)
    options = parser.parse_args(argv)
    options.host = options.hosts[0]
    profile = load_profile(options.profile)
    wish = Deploy(
        request_id=new_request_id(),
        by=who(),
        profile=profile,
        name=options.name,
        replace=options.replace,
        swap=options.swap,
        force=options.force,
    )
    if profile.nodes is not None or len(options.hosts) > 1:
        return show_over_hosts(options, wish) if options.dry_run else deploy_over_hosts(options, wish)
    return _show(options, wish) if options.dry_run else _deploy(options, wish)


def _deploy(options: argparse.Namespace, wish: Deploy) -> int:
    name = wish.name or wish.profile.name

    async def work(fleet: Fleet) -> Applied | EngineStatus:
        async def go(client: AgentClient) -> Applied | EngineStatus:
            applied = await client.deploy(wish)
            if options.no_wait:
                return applied
            printer = ProgressPrinter(options.host, quiet=options.json)
            return await wait_until_ready(client, name, applied.operation, printer)

        return await ask(host_named(fleet, options.host), go)

    done = run_with_fleet(options, work)
    if isinstance(done, Applied):
        emit(options.json, done, [f"{options.host}: {done.operation}: {done.detail}"])
        return ExitCode.DONE
    ready = f"ready in {done.ready_s:.1f} s" if done.ready_s is not None else done.state
    emit(options.json, done, [f"{options.host}: {done.name}.{done.generation} {ready}, {done.url}"])
    return ExitCode.DONE


def _show(options: argparse.Namespace, wish: Deploy) -> int:
    async def work(fleet: Fleet) -> Intended:
        return await ask(host_named(fleet, options.host), lambda client: client.intend(wish))

    intended = run_with_fleet(options, work)
    emit(options.json, intended, intended_lines(options.host, intended))
    refused = intended.refusal is not None and not options.force
    return ExitCode.NO if refused or (intended.outage and intended.kind != "swap") else ExitCode.DONE
