"""`quantdeck fleet`: the fleet at a glance."""

from __future__ import annotations

import shutil
import time

import msgspec

from quantdeck_console.commands.common import emit, parser_for, run_with_fleet, statuses
from quantdeck_console.link.connect import LinkRefusedError
from quantdeck_console.plain.fleet import fleet_lines
from quantdeck_core.errors import ErrorInfo, ExitCode, QuantdeckError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.host import HostStatus


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """One host: exactly one of the two."""

    host: str
    status: HostStatus | None = None
    error: ErrorInfo | None = None


def main(argv: list[str]) -> int:
    """Ask every host once; 5 where one did not answer."""
    options = parser_for("fleet", "The fleet at a glance, worst first.").parse_args(argv)
    found = run_with_fleet(options, statuses)
    reports = [
        HostReport(host=host, error=one.info())
        if isinstance(one, QuantdeckError)
        else HostReport(host=host, status=one)
        for host, one in found.items()
    ]
    now = time.time()
    state = FleetState(hosts={host: _view(host, one, now) for host, one in found.items()})
    silent = [f"{report.host}: {report.error.detail} {report.error.hint}" for report in reports if report.error]
    lines = fleet_lines(state, now, shutil.get_terminal_size().columns)
    emit(options.json, reports, [*lines, *([""] if silent else []), *silent])
    return ExitCode.UNREACHABLE if silent else ExitCode.DONE


def _view(host: str, found: HostStatus | QuantdeckError, now: float) -> HostView:
    if not isinstance(found, QuantdeckError):
        link = LinkChange(state="connected")
        return HostView(name=host, link=link, status=found, linked_at=now, heard_at=now)
    refused = isinstance(found, LinkRefusedError)
    link = LinkChange(state="refused" if refused else "lost", detail=found.detail)
    return HostView(name=host, link=link, linked_at=now)
