"""`quantdeck deploy PROFILE --host HOST`: start an engine, or replace one."""

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
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.profile_source import load_profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.requests import Deploy


def main(argv: list[str]) -> int:
    """Start an engine and wait until it is ready."""
    parser = parser_for("deploy", "Start an engine from a profile and wait until it is ready.")
    parser.add_argument("profile", help="name of a built-in profile, or a .toml file")
    parser.add_argument("--host", required=True, help="host of the fleet")
    parser.add_argument("--name", default="", help="the engine's name there (default: the profile's)")
    parser.add_argument("--replace", action="store_true", help="put it in the place of the one that runs")
    options = parser.parse_args(argv)
    profile = load_profile(options.profile)
    name = options.name or profile.name

    async def work(fleet: Fleet) -> EngineStatus:
        async def go(client: AgentClient) -> EngineStatus:
            wish = Deploy(
                request_id=new_request_id(), by=who(), profile=profile, name=options.name, replace=options.replace
            )
            applied = await client.deploy(wish)
            return await wait_until_ready(client, name, applied.operation)

        return await ask(host_named(fleet, options.host), go)

    engine = run_with_fleet(options, work)
    ready = f"ready in {engine.ready_s:.1f} s" if engine.ready_s is not None else engine.state
    emit(options.json, engine, [f"{options.host}: {engine.name}.{engine.generation} {ready}, {engine.url}"])
    return 0
