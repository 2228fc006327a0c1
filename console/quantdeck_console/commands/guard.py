"""`quantdeck guard`: carry a rollback on one gateway to all others, and carry out what is pending.

Runs until SIGTERM or SIGINT, on a bastion for example. It may be killed at any time and run several times: a request id
belongs to a host and an incident, so whatever is sent twice is applied once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import msgspec

from quantdeck_console.commands.common import parser_for, who
from quantdeck_console.guard import Guard
from quantdeck_console.guard_report import GuardEvent
from quantdeck_console.link.fleet_file import load_fleet
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import ExitCode


def main(argv: list[str]) -> int:
    """Watch; with `--once` 0 where nothing is left to do on any host, 4 where something is."""
    parser = parser_for(
        "guard",
        "Where one gateway has rolled an experiment back, roll it back on all others, unless somebody cleared it there "
        "since. Carry out rollbacks that are pending because a host could not be reached.",
    )
    parser.add_argument("--once", action="store_true", help="do what can be done now, and end")
    parser.add_argument(
        "--lowest",
        action="store_true",
        help="put all gateways of an experiment on the lowest weight of any of them once they differ for a minute, "
        "also where it is 0; this pauses their plans. Without it only a rollback is carried",
    )
    options = parser.parse_args(argv)
    fleet = load_fleet(options.fleet)

    def write(event: GuardEvent) -> None:
        sys.stdout.write((msgspec.json.encode(event).decode() if options.json else event.line()) + "\n")
        sys.stdout.flush()

    guard = Guard(SshFleet(fleet), PendingFile(), write, by=who(), lowest=options.lowest)
    return asyncio.run(_until_told(guard, once=options.once))


async def _until_told(guard: Guard, *, once: bool) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        return ExitCode.DONE if await guard.run(once=once) else ExitCode.PARTLY
    return ExitCode.DONE
