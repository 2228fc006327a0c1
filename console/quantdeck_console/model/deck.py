"""What the console knows and when it is: the fleet model behind every screen, without a widget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Tone
from quantdeck_core.fleet.headline import Headline, headline
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.row_memory import RowMemory
from quantdeck_core.fleet.rows import FleetRow, matches
from quantdeck_core.fleet.standing import Standing, standing_of
from quantdeck_core.fleet.state import FleetState, Heard, HostView, apply_all, fresh_alarms
from quantdeck_core.protocol.events import AlarmEvent, Event, Snapshot
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm

NOTICE_S = 6.0
MOST_WAITING = 500
"""Updates that wait to be applied together."""
ROWS_AT_ONCE = 100
"""Rows that are made while a key waits."""


@dataclass(frozen=True)
class Notice:
    """A sentence for the footer, for a while."""

    text: str
    tone: Tone
    until: float


class DeckModel:
    """The fleet as heard, its rows as drawn last, and the notice of the moment.

    Attributes:
        standing: what holds for all of it, as drawn last.
    """

    def __init__(
        self, hosts: Iterable[str], clock: Callable[[], float], notice_clock: Callable[[], float] | None = None
    ) -> None:
        """`clock`: of the fleet; `notice_clock`: of who sits here, where that is another one."""
        self.clock = clock
        self._notice_clock = notice_clock or clock
        self._fleet = FleetState.of(hosts)
        self._waiting: list[Heard] = []
        self._notice: Notice | None = None
        self._memory = RowMemory()
        self._rows: list[FleetRow] = []
        self._headline = headline(self._fleet, self._rows)
        self.standing = Standing()
        self._turn = 0
        self.catch_up()

    @property
    def fleet(self) -> FleetState:
        """All that was heard until now."""
        self._fleet = apply_all(self._fleet, self._waiting)
        self._waiting.clear()
        return self._fleet

    def receive(self, host: str, update: Event | LinkChange) -> tuple[Alarm, ...]:
        """Take in what came from a host; the alarms to ring for."""
        self._waiting.append(Heard(host, update, self.clock()))
        rings = isinstance(update, Snapshot | AlarmEvent)
        if not rings and len(self._waiting) < MOST_WAITING:
            return ()
        before = self._fleet.hosts.get(host)  # nothing that waited had alarms
        after = self.fleet.hosts[host]
        return fresh_alarms(before, after) if rings else ()

    def catch_up(self) -> None:
        """Let the rows show what was heard until now: keys draw, but they do not count a fleet anew."""
        for _ in self.catching_up():
            pass

    def catching_up(self) -> Iterator[None]:
        """`catch_up` in pieces, which gives way to one that begins later."""
        fleet, now = self.fleet, self.clock()
        views = tuple(fleet.hosts.values())
        self._turn = turn = self._turn + 1
        for start in range(0, len(views), ROWS_AT_ONCE):
            self._memory.prepare(views[start : start + ROWS_AT_ONCE], now)
            yield
            if turn != self._turn:
                return
        self._rows = self._memory.rows(fleet, now)
        self._headline = headline(fleet, self._rows)
        self.standing = standing_of(fleet)

    def restore(self, fleet: FleetState) -> None:
        """Another fleet instead: a recording was wound."""
        self._waiting.clear()
        self._fleet = fleet

    def say(self, text: str, tone: Tone = "") -> None:
        """Show a sentence in the footer for a few seconds."""
        self._notice = Notice(text, tone, self._notice_clock() + NOTICE_S)

    @property
    def notice(self) -> Notice | None:
        """The sentence, until its time is over."""
        return self._notice if self._notice and self._notice_clock() < self._notice.until else None

    def rows(self, pattern: str = "") -> list[FleetRow]:
        """Rows of the hosts that match a filter, worst first."""
        return [row for row in self._rows if matches(row, pattern)] if pattern else self._rows

    def subject_of(self, row: FleetRow) -> Subject:
        """A host with its worst experiment, for the panes that are opened from its row."""
        status = self.fleet.hosts[row.name].status
        first = status.experiments[0].name if status and status.experiments else ""
        return Subject(row.name, row.experiment or first)

    @property
    def headline(self) -> Headline:
        """The fleet in a sentence, from all its rows."""
        return self._headline

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
        return self.standing.pages > 0 or any(row.level == "stale" for row in self.rows())

    @property
    def quiet(self) -> bool:
        """Nothing is wrong anywhere."""
        return all(row.level in ("ok", "connecting") for row in self.rows())

    def experiments(self) -> list[tuple[HostView, ExperimentStatus]]:
        """All experiments of the fleet, those on the worst hosts first."""
        views = [self.fleet.hosts[row.name] for row in self.rows()]
        return [(view, one) for view in views if view.status for one in view.status.experiments]

    def only_experiment(self) -> tuple[HostView, ExperimentStatus] | None:
        """The fleet's experiment on the worst host that runs it; None where there are none or several."""
        found = self.experiments()
        return found[0] if len({one.name for _, one in found}) == 1 else None
