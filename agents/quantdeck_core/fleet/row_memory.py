"""The rows of a fleet, made anew only for the hosts that need it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quantdeck_core.fleet.health import same_until
from quantdeck_core.fleet.rows import FleetRow, host_row, worst_first
from quantdeck_core.fleet.state import FleetState, HostView


class _Kept(NamedTuple):
    """A row, what it was made of, and the time for which it holds: `since` <= now < `until`."""

    view: HostView
    since: float
    until: float
    row: FleetRow
    order: tuple[int, list[tuple[int, str]]]


class RowMemory:
    """Gives what `fleet_rows` gives, and remembers it by host."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def prepare(self, views: Iterable[HostView], now: float) -> None:
        """Make some of the rows ahead of `rows`."""
        for view in views:
            self._kept[view.name] = self._fresh(view, now)

    def rows(self, state: FleetState, now: float) -> list[FleetRow]:
        """A row per host, worst first, by name within."""
        self._kept = {name: self._fresh(view, now) for name, view in state.hosts.items()}
        return [one.row for one in sorted(self._kept.values(), key=_order)]

    def _fresh(self, view: HostView, now: float) -> _Kept:
        kept = self._kept.get(view.name)
        if kept and kept.view is view and kept.since <= now < kept.until:
            return kept
        row = host_row(view, now)
        order = kept.order if kept and kept.row.level == row.level else worst_first(row)
        return _Kept(view, now, same_until(view, now), row, order)


def _order(kept: _Kept) -> tuple[int, list[tuple[int, str]]]:
    return kept.order
