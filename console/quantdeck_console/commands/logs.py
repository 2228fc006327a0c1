"""`quantdeck logs [SOURCE ...]`: logs of engines, gateways and agents across hosts."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from quantdeck_console.commands.common import ask, emit, host_named, parser_for
from quantdeck_console.link.fleet_file import Fleet, Host, load_fleet
from quantdeck_console.link.log_client import log_sources
from quantdeck_console.link.log_follow import HostLogs, Sink
from quantdeck_console.plain.logs import coloured, printed
from quantdeck_core.errors import ErrorInfo, ExitCode, NotFoundError, QuantdeckError, exit_code_of
from quantdeck_core.fleet.cells import size
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.logs import DEFAULT_LINES, MAX_LINES, LogSource

_AT_ONCE = 16
"""Hosts that are read at the same time."""
_QUEUE = 64
"""Packets of lines that wait for the terminal; then hosts are read no further."""


class HostSources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The logs of one host: exactly one of the two."""

    host: str
    sources: tuple[LogSource, ...] | None = None
    error: ErrorInfo | None = None


def main(argv: list[str]) -> int:
    """Print the ends of logs, or follow them until Ctrl-C; 5 where a host did not answer."""
    options = _parser().parse_args(argv)
    fleet = load_fleet(options.fleet)
    hosts = [host_named(fleet, name) for name in options.host] if options.host else list(fleet.host)
    try:
        if options.list:
            return asyncio.run(_list(Fleet(host=tuple(hosts)), options.json))
        return asyncio.run(_follow(hosts, options) if options.follow else _once(hosts, options))
    except KeyboardInterrupt:
        if options.follow:  # that is how following ends
            return ExitCode.DONE
        raise


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("logs", "Logs of engines, gateways and agents, across hosts. What users write is in none.")
    parser.add_argument(
        "source",
        nargs="*",
        help="agent, gateway, an engine's name (its newest start), engine:NAME.GENERATION; default: all live ones",
    )
    parser.add_argument("--host", action="append", metavar="HOST", help="a host of the fleet, repeatable; default: all")
    parser.add_argument("-f", "--follow", action="store_true", help="print what comes, until Ctrl-C")
    parser.add_argument(
        "-n",
        "--lines",
        type=_lines,
        default=DEFAULT_LINES,
        help=f"of each log's end, 0 to {MAX_LINES} (default: %(default)s)",
    )
    parser.add_argument("--all", action="store_true", help="logs of engines that are gone, too")
    parser.add_argument("--list", action="store_true", help="which logs there are")
    return parser


def _lines(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_LINES:
        raise argparse.ArgumentTypeError(f"{text} is not 0 to {MAX_LINES}")
    return value


async def _list(fleet: Fleet, as_json: bool) -> int:
    async def one(host: Host) -> HostSources:
        try:
            return HostSources(host=host.name, sources=await ask(host, log_sources))
        except QuantdeckError as error:
            return HostSources(host=host.name, error=error.info())

    found = await asyncio.gather(*map(one, fleet.host))
    emit(as_json, found, (line for host in found for line in _listed(host)))
    return ExitCode.UNREACHABLE if any(host.error for host in found) else ExitCode.DONE


def _listed(host: HostSources) -> list[str]:
    if host.error:
        return [f"{host.host} -- {host.error.detail} {host.error.hint}"]
    return [
        f"{host.host} {one.source}{'' if one.live else '  gone'}"
        f"{'' if one.size_bytes is None else f'  {size(one.size_bytes)}'}"
        for one in host.sources or ()
    ]


def _logs(host: Host, options: argparse.Namespace, sink: Sink) -> HostLogs:
    return HostLogs(host.name, partial(ask, host), options.source, options.lines, sink, everything=options.all)


async def _once(hosts: Sequence[Host], options: argparse.Namespace) -> int:
    at_once, silent, found = asyncio.Semaphore(_AT_ONCE), list[QuantdeckError](), 0

    async def one(host: Host, sink: Sink) -> None:
        nonlocal found
        async with at_once:
            try:
                found += await _logs(host, options, sink).once()
            except QuantdeckError as error:
                silent.append(error)
                await sink([HostLine(host=host.name, note=f"{error.detail} {error.hint}")])

    await _print(options.json, lambda sink: [one(host, sink) for host in hosts])
    if silent:
        return exit_code_of(silent[0]) if len(hosts) == 1 else ExitCode.UNREACHABLE
    if options.source and not found:
        raise NotFoundError(
            f"No host has a log {', '.join(map(repr, options.source))}.",
            "`quantdeck logs --list` shows which there are.",
        )
    return ExitCode.DONE


async def _follow(hosts: Sequence[Host], options: argparse.Namespace) -> int:
    def one(host: Host, sink: Sink) -> Coroutine[Any, Any, None]:
        return _logs(host, options, sink).follow()

    await _print(options.json, lambda sink: [one(host, sink) for host in hosts])
    return ExitCode.DONE


async def _print(as_json: bool, work: Callable[[Sink], Iterable[Coroutine[Any, Any, None]]]) -> None:
    """Print what the work brings, until it has ended. A terminal that stands still holds it up, and nothing grows."""
    queue: asyncio.Queue[list[HostLine] | None] = asyncio.Queue(_QUEUE)
    tasks = [asyncio.create_task(one) for one in work(queue.put)]

    async def until_ended() -> None:
        try:
            await asyncio.gather(*tasks)
        finally:
            await queue.put(None)

    ending = asyncio.create_task(until_ended())
    colour = coloured(os.environ, sys.stdout.isatty())
    try:
        while (lines := await queue.get()) is not None:
            await asyncio.to_thread(_write, as_json, lines, colour)
        await ending
    finally:
        for task in (*tasks, ending):
            task.cancel()
        await asyncio.gather(*tasks, ending, return_exceptions=True)


def _write(as_json: bool, lines: list[HostLine], colour: bool) -> None:
    for one in lines:
        text = msgspec.json.encode(one).decode() if as_json else "\n".join(printed(one, colour))
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
