"""`quantdeck alerts list | ack ID | snooze ID 30m | handover ID TO --note ...`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from quantdeck_console.commands.common import (
    add_fleet_option,
    emit,
    host_named,
    new_request_id,
    parse_reason,
    run_with_fleet,
    who,
)
from quantdeck_console.link.alert_client import AlertClient
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_core.alerts.words import deaf, standing, times
from quantdeck_core.durations import spoken
from quantdeck_core.errors import ErrorInfo, ExitCode, InputError, QuantdeckError, exit_code_of
from quantdeck_core.fleet.cells import clock
from quantdeck_core.fleet.health import WORDS
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Page, PageList, Snooze, parse_snooze


def main(argv: list[str]) -> int:
    """Show pages, or take one."""
    options = _parser().parse_args(argv)
    return _list(options) if options.action == "list" else _take(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantdeck alerts", description="Pages of the fleet: what people were told of, and who has it."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="pages that go on, and receivers that do not answer")
    listing.add_argument("--all", action="store_true", help="those that have ended too")
    ack = actions.add_parser("ack", help="take it: it is not repeated any more")
    ack.add_argument("--note", default="", help="for the timeline")
    snooze = actions.add_parser("snooze", help="quiet for a while; a new cause pages all the same")
    handover = actions.add_parser("handover", help="give it to somebody else, who is told at once")
    for one in (ack, snooze, handover):
        one.add_argument("page", type=int, metavar="ID")
    snooze.add_argument("duration", help="30m, 2h ...")
    handover.add_argument("to", help="who takes it")
    handover.add_argument("--note", required=True, help="what they should know")
    for one in (listing, ack, snooze, handover):
        one.add_argument("--host", help="numbers are each host's own; may be left out where the fleet has one host")
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
        add_fleet_option(one)
    return parser


def _list(options: argparse.Namespace) -> int:
    async def one(host: Host) -> PageList | QuantdeckError:
        try:
            async with client_of(host, AlertClient) as client:
                return await client.alerts()
        except QuantdeckError as error:
            return error

    async def work(fleet: Fleet) -> dict[str, PageList | QuantdeckError]:
        hosts = [host_named(fleet, options.host)] if options.host else list(fleet.host)
        return dict(zip((host.name for host in hosts), await asyncio.gather(*map(one, hosts)), strict=True))

    found = run_with_fleet(options, work)
    body: dict[str, PageList | ErrorInfo] = {}
    lines: list[str] = []
    for host, result in found.items():
        if isinstance(result, QuantdeckError):
            body[host] = result.info()
            lines.append(f"{host}: STALE ? {result.detail}")
        else:
            body[host] = result
            lines += _host_lines(host, result, options.all)
    emit(options.json, body, lines or ["no pages"])
    errors = [one for one in found.values() if isinstance(one, QuantdeckError)]
    if errors:
        return exit_code_of(errors[0]) if len(errors) == len(found) else ExitCode.PARTLY
    return ExitCode.DONE


def _host_lines(host: str, listed: PageList, everything: bool) -> list[str]:
    pages = [page for page in listed.pages if everything or not page.ended]
    lines = [line for page in pages for line in _page_lines(host, page, listed.now)]
    lines += [f"{host}: {WORDS['warn']} {deaf(one)}" for one in listed.receivers if one.problem]
    if everything and not listed.receivers:
        lines.append(f"{host}: nobody outside is told; start its agent with --alerts FILE")
    return lines


def _page_lines(host: str, page: Page, now: float) -> list[str]:
    where = f"{host} {page.experiment}" if page.experiment else host
    first = f"{page.id:>4}  {WORDS[page.level]}  {where}: {page.text}"
    lines = [first, f"      since {clock(page.began)} ({spoken(now - page.began)}{times(page)}), {standing(page, now)}"]
    if page.hint and not page.ended:
        lines.append(f"      next: {page.hint}")
    return lines


def _take(options: argparse.Namespace) -> int:
    change = _change(options)

    async def work(fleet: Fleet) -> tuple[str, Page]:
        if not options.host and len(fleet.host) != 1:
            raise InputError("Which host's page?", "Name it with --host; `quantdeck alerts list` shows both.")
        host = host_named(fleet, options.host) if options.host else fleet.host[0]
        async with client_of(host, AlertClient) as client:
            return host.name, await change(client)

    host, page = run_with_fleet(options, work)
    words = {
        "ack": f"acknowledged by {page.acknowledged_by}",
        "snooze": f"snoozed until {clock(page.snoozed_until)}",
        "handover": f"handed over to {page.owner}",
    }
    emit(options.json, page, [f"{host}: page {page.id} {words[options.action]}"])
    return ExitCode.DONE


def _change(options: argparse.Namespace) -> Callable[[AlertClient], Awaitable[Page]]:
    request_id, by = new_request_id(), who()
    if options.action == "ack":
        acknowledge = Acknowledge(request_id=request_id, by=by, note=options.note.strip())
        return lambda client: client.acknowledge(options.page, acknowledge)
    if options.action == "handover":
        if not options.to.strip():
            raise InputError("The name is empty.", "Say who takes it.")
        handover = HandOver(request_id=request_id, by=by, to=options.to.strip(), note=parse_reason(options.note))
        return lambda client: client.hand_over(options.page, handover)
    seconds = parse_snooze(options.duration)
    snooze = Snooze(request_id=request_id, by=by, seconds=seconds)
    return lambda client: client.snooze(options.page, snooze)
