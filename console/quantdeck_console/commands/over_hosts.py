"""`deploy` and `stop` of a model over several hosts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from quantdeck_console.commands.common import emit, host_named, run_with_fleet
from quantdeck_console.commands.following import ProgressPrinter
from quantdeck_console.commands.intended import intended_lines
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.nodes import deploy_over, intend_over, stop_over
from quantdeck_core.errors import ExitCode, InputError, QuantdeckError
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.operation import Intended, Operation
from quantdeck_core.protocol.requests import Applied, Deploy, Stop


def deploy_over_hosts(options: argparse.Namespace, wish: Deploy) -> int:
    """Start its parts on all hosts and wait until they are ready."""
    if options.no_wait:
        raise InputError(
            "Over several hosts deploy waits: it is this command that asks them all.", "Leave --no-wait out."
        )
    printers = {host: ProgressPrinter(host, quiet=options.json) for host in options.hosts}

    def progress(host: str, operation: Operation) -> None:
        printers[host](operation)

    async def work(fleet: Fleet) -> dict[str, EngineStatus]:
        return await deploy_over(hosts_named(fleet, options.hosts), wish, progress)

    done = run_with_fleet(options, work)
    emit(options.json, done, (_ready_line(host, engine) for host, engine in done.items()))
    return ExitCode.DONE


def show_over_hosts(options: argparse.Namespace, wish: Deploy) -> int:
    """What would be done on each host."""

    async def work(fleet: Fleet) -> dict[str, Intended]:
        return await intend_over(hosts_named(fleet, options.hosts), wish)

    intended = run_with_fleet(options, work)
    emit(options.json, intended, (line for host, one in intended.items() for line in intended_lines(host, one)))
    refused = any(one.refusal is not None for one in intended.values()) and not options.force
    blocked = any(one.outage and one.kind != "swap" for one in intended.values())
    return ExitCode.NO if refused or blocked else ExitCode.DONE


def stop_over_hosts(options: argparse.Namespace, hosts: Sequence[str], wish: Stop) -> int:
    """End its parts on all hosts; a host that did not answer still has its part, and that is no success."""

    async def work(fleet: Fleet) -> dict[str, Applied | QuantdeckError]:
        return await stop_over(hosts_named(fleet, hosts), options.engine, wish)

    said = run_with_fleet(options, work)
    body = {host: one.info() if isinstance(one, QuantdeckError) else one for host, one in said.items()}
    emit(options.json, body, (_stop_line(host, one) for host, one in said.items()))
    return ExitCode.FAILED if any(isinstance(one, QuantdeckError) for one in said.values()) else ExitCode.DONE


def hosts_named(fleet: Fleet, names: Sequence[str]) -> list[Host]:
    """Hosts of the fleet, in this order.

    Raises:
        NotFoundError: one is not in the file.
    """
    return [host_named(fleet, name) for name in names]


def _ready_line(host: str, engine: EngineStatus) -> str:
    ready = f"ready in {engine.ready_s:.1f} s" if engine.ready_s is not None else engine.state
    return f"{host}: {engine.name}.{engine.generation} {ready}, {engine.url or engine.note}"


def _stop_line(host: str, said: Applied | QuantdeckError) -> str:
    if isinstance(said, QuantdeckError):
        return f"{host}: pending, its part goes on: {said.info().detail} Ask again once it answers."
    return f"{host}: {said.operation} done" if said.operation else f"{host}: {said.detail}"
