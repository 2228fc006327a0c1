"""The fleet as plain text."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_console.model.fleet_view import FleetColumns, fleet_head, fleet_line
from quantdeck_console.model.glyphs import ASCII
from quantdeck_console.model.host_view import host_lines
from quantdeck_console.model.text import plain, wrap
from quantdeck_core.fleet.headline import headline
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.rows import fleet_rows, matches
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.host import HostStatus


def fleet_lines(state: FleetState, now: float, width: int = 80, pattern: str = "") -> list[str]:
    """The headline and a row per host, worst first, as the fleet pane shows them."""
    columns = FleetColumns.for_width(width)
    every = fleet_rows(state, now)
    rows = [row for row in every if matches(row, pattern)]
    said = headline(state, every)
    first = [*wrap(said.sentence, width), *(wrap(said.rest, width) if said.rest else ())]
    body = [fleet_head(columns)[1:], *(fleet_line(row, columns, ASCII) for row in rows)]
    return [*first, "", *(plain(one) for one in body)]


def status_lines(status: HostStatus, now: float, width: int = 80) -> list[str]:
    """One host in detail, as just heard."""
    view = HostView(name=status.name, link=LinkChange(state="connected"), status=status, linked_at=now, heard_at=now)
    return [plain(one).removeprefix(" ") for one in host_lines(view, now, width)]


def fleet_of(statuses: Iterable[HostStatus], now: float) -> FleetState:
    """A fleet in which every host was just heard, for a command that asks each once."""
    views = {
        status.name: HostView(
            name=status.name, link=LinkChange(state="connected"), status=status, linked_at=now, heard_at=now
        )
        for status in statuses
    }
    return FleetState(hosts=views)
