"""Commands whose work takes time: they follow the operation that they began, and show its steps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable

from quantdeck_console.commands.common import ask, emit, host_named, run_with_fleet
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import follow
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.fleet.operation_text import progress_line
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.text import clean


class ProgressPrinter:
    """Prints each step once, to standard error; nothing where standard output is for a program."""

    def __init__(self, host: str, *, quiet: bool) -> None:
        self._host, self._quiet, self._last = host, quiet, ""

    def __call__(self, operation: Operation) -> None:
        """Say how far it is, where that is another step than before."""
        line = clean(progress_line(operation), one_line=True)
        if line != self._last and not self._quiet:
            sys.stderr.write(f"{self._host}: {line}\n")
        self._last = line


def add_following_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """`--host` and `--no-wait`.

    Args:
        several: `--host` may stand there several times; `hosts` of what is parsed has all of them.
    """
    if several:
        parser.add_argument(
            "--host", dest="hosts", action="append", required=True, help="host of the fleet; one for each of [nodes]"
        )
    else:
        parser.add_argument("--host", required=True, help="host of the fleet")
    parser.add_argument(
        "--no-wait", action="store_true", help="come back at once; `quantdeck operation` shows the rest"
    )


def begin_and_follow(
    options: argparse.Namespace, begin: Callable[[AgentClient], Awaitable[Applied]]
) -> tuple[Applied, Operation | None]:
    """Begin an operation on `--host` and follow it to its end; None for its end with `--no-wait`.

    Raises:
        QuantdeckError: it was refused, failed, or the link broke (the agent goes on then).
    """

    async def work(fleet: Fleet) -> tuple[Applied, Operation | None]:
        async def go(client: AgentClient) -> tuple[Applied, Operation | None]:
            applied = await begin(client)
            if options.no_wait:
                return applied, None
            printer = ProgressPrinter(options.host, quiet=options.json)
            return applied, await follow(client, applied.operation, printer)

        return await ask(host_named(fleet, options.host), go)

    return run_with_fleet(options, work)


def emit_outcome(options: argparse.Namespace, applied: Applied, operation: Operation | None) -> None:
    """Print how it ended, or that it has begun."""
    said = progress_line(operation) if operation else applied.detail
    emit(options.json, operation or applied, [f"{options.host}: {applied.operation} {said}"])
