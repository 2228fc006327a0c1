"""What the console knows and when it is: the fleet model behind every screen, without a widget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Tone
from quantdeck_core.fleet.headline import Headline, headline
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.rows import FleetRow, fleet_rows, matches
from quantdeck_core.fleet.standing import pages_of_nobody
from quantdeck_core.fleet.state import FleetState, HostView, apply, fresh_alarms
from quantdeck_core.protocol.events import Event
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm

NOTICE_S = 6.0
FRESH_S = 0.2
"""Rows are counted anew after this long even when nothing came: their ages go on."""


@dataclass(frozen=True)
class Notice:
    """A sentence for the footer, for a while."""

    text: str
    tone: Tone
    until: float


class DeckModel:
    """The fleet as heard, and the notice of the moment."""

    def __init__(self, hosts: Iterable[str], clock: Callable[[], float]) -> None:
        self.fleet = FleetState.of(hosts)
        self.clock = clock
        self._notice: Notice | None = None
        self._rows: tuple[FleetState, float, list[FleetRow]] | None = None

    def receive(self, host: str, update: Event | LinkChange) -> tuple[Alarm, ...]:
        """Take in what came from a host; the alarms to ring for."""
        before = self.fleet.hosts.get(host)
        self.fleet = apply(self.fleet, host, update, self.clock())
        return fresh_alarms(before, self.fleet.hosts[host])

    def say(self, text: str, tone: Tone = "") -> None:
        """Show a sentence in the footer for a few seconds."""
        self._notice = Notice(text, tone, self.clock() + NOTICE_S)

    @property
    def notice(self) -> Notice | None:
        """The sentence, until its time is over."""
        return self._notice if self._notice and self.clock() < self._notice.until else None

    def rows(self, pattern: str = "") -> list[FleetRow]:
        """Rows of the hosts that match a filter, worst first."""
        now = self.clock()
        if self._rows is None or self._rows[0] is not self.fleet or not 0 <= now - self._rows[1] < FRESH_S:
            self._rows = (self.fleet, now, fleet_rows(self.fleet, now))
        every = self._rows[2]
        return [row for row in every if matches(row, pattern)] if pattern else every

    def subject_of(self, row: FleetRow) -> Subject:
        """A host with its worst experiment, for the panes that are opened from its row."""
        status = self.fleet.hosts[row.name].status
        first = status.experiments[0].name if status and status.experiments else ""
        return Subject(row.name, row.experiment or first)

    def headline(self, rows: list[FleetRow]) -> Headline:
        """The fleet in a sentence, from all its rows."""
        return headline(self.fleet, rows)

    def experiment(self, host: str, name: str) -> ExperimentStatus | None:
        """An experiment as its host said last."""
        view = self.fleet.hosts.get(host)
        return view.experiment(name) if view else None

    def ablest(self) -> HostView | None:
        """A host that takes changes; the first one where none does, and None where there is none."""
        views = self.fleet.hosts.values()
        links = ((view, view.link) for view in views)
        able = (
            view for view, link in links if link.state == "connected" and link.role != "viewer" and not link.read_only
        )
        return next(able, None) or next(iter(views), None)

    def gateways(self, experiment: str) -> list[tuple[HostView, ExperimentStatus]]:
        """All hosts that run an experiment of this name, in the order of the fleet file."""
        found = ((view, view.experiment(experiment)) for view in self.fleet.hosts.values())
        return [(view, one) for view, one in found if one]

    @property
    def calls(self) -> bool:
        """Something is wrong, and somebody has to take it; of a host out of reach nobody knows whether somebody did."""
        if self.quiet:
            return False
        return pages_of_nobody(self.fleet) > 0 or any(row.level == "stale" for row in self.rows())

    @property
    def quiet(self) -> bool:
        """Nothing is wrong anywhere."""
        return all(row.level in ("ok", "connecting") for row in self.rows())

    def experiments(self) -> list[tuple[HostView, ExperimentStatus]]:
        """All experiments of the fleet, those on the worst hosts first."""
        views = [self.fleet.hosts[row.name] for row in self.rows()]
        return [(view, one) for view in views if view.status for one in view.status.experiments]
