"""`quantdeck deploy PROFILE --host HOST`: start an engine, or replace one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

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
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.profile_source import load_profile
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import size
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
    add_following_options(parser)
    options = parser.parse_args(argv)
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
    emit(options.json, intended, _lines(options.host, intended))
    refused = intended.refusal is not None and not options.force
    return ExitCode.NO if refused or (intended.outage and intended.kind != "swap") else ExitCode.DONE


def _lines(host: str, intended: Intended) -> Iterator[str]:
    replicas = f", {intended.replicas} replicas" if intended.replicas > 1 else ""
    yield f"{host}: would {intended.kind} {intended.engine}{replicas} (nothing was begun)"
    if intended.planned_bytes is not None:
        yield f"  takes about {size(intended.planned_bytes)} of its device"
    if intended.note:
        yield f"  {intended.note}"
    if intended.refusal:
        yield f"  refused: {intended.refusal.detail}"
        yield f"  next: {intended.refusal.hint}"
    if intended.outage:
        how = "nobody is served by it for" if intended.kind == "swap" else "no room for both; --swap would take"
        yield f"  {how} {intended.outage}"
    if intended.argv:
        yield from (f"    {line}" for line in shell_lines(Command(argv=intended.argv, env=intended.env)))
