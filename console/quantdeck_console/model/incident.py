"""What is known of an incident: what each host tells of it, and how far a replay is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from quantdeck_console.model.asked import Asked
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.fleet.health import health
from quantdeck_core.fleet.state import HostView
from quantdeck_core.incident.findings import Onset, onset
from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.incident.trend import TrendCell, TrendRow
from quantdeck_core.protocol.alerts import Page
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.incident import IncidentReport

ASK_EVERY_S = 10.0
"""Twelve hours of minutes are 120 KB; what happens is asked for at once, so this is for trends, which are by minute."""
OLD_AFTER_S = 2 * ASK_EVERY_S + 2.0
"""Two answers were missed."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """One agent's answer.

    Attributes:
        pages: of this experiment that go on; None where the agent tells of none.
        began: when it began and what rose; None where nothing did.
        before, since: both arms in all minutes before the onset and from it on; without one all are `since`.
    """

    report: IncidentReport
    pages: tuple[Page, ...] | None
    began: Onset | None
    before: TrendRow
    since: TrendRow

    @classmethod
    def of(cls, report: IncidentReport, pages: tuple[Page, ...] | None = None) -> Story:
        """With what follows from it, once for all times that it is drawn."""
        if pages is not None:
            pages = tuple(page for page in pages if page.experiment == report.experiment and not page.ended)
        began = onset(report.by_time)
        t = began.t if began else 0.0
        before, since = (_sum(row for row in report.by_time if (row.t < t) is early) for early in (True, False))
        return cls(report=report, pages=pages, began=began, before=before, since=since)


def _sum(rows: Iterable[TrendRow]) -> TrendRow:
    kept = tuple(rows)
    return TrendRow(
        control=sum((row.control for row in kept), TrendCell()),
        treatment=sum((row.treatment for row in kept), TrendCell()),
    )


@dataclass(frozen=True, kw_only=True)
class Replaying:
    """A replay that was asked for.

    Attributes:
        since: console time, UNIX seconds.
        most: prompts that were asked for.
        report, error: what came of it; neither while it is under way.
    """

    since: float
    most: int
    report: ReplayReport | None = None
    error: ErrorInfo | None = None

    @property
    def under_way(self) -> bool:
        """Both arms are still answering."""
        return self.report is None and self.error is None


@dataclass(frozen=True, kw_only=True)
class Side:
    """One gateway of the experiment.

    Attributes:
        experiment: as the host's events tell; None where it does not run there any more.
        asked: what became of asking its agent.
        replaying: the last replay that this console asked for.
    """

    view: HostView
    experiment: ExperimentStatus | None
    asked: Asked[Story]
    replaying: Replaying | None = None

    @property
    def report(self) -> IncidentReport | None:
        """What its agent told last, with what the replay said."""
        if self.asked.value is None:
            return None
        report, replay = self.asked.value.report, self.replaying and self.replaying.report
        return msgspec.structs.replace(report, replay=replay) if replay else report

    def age_s(self, now: float) -> float | None:
        """Seconds since its agent answered, where that is too long; None while it is current."""
        if self.asked.at is None:
            return None
        silent = max(0.0, now - self.asked.at)
        lost = self.view.link.state != "connected" or health(self.view, now).level == "stale"
        return silent if lost or silent > OLD_AFTER_S else None


@dataclass(frozen=True, kw_only=True)
class Incident:
    """All of it, at one moment.

    Attributes:
        name: of the experiment.
        sides: what is shown: the pane's own host first, then the others where they are merged.
        gateways: every host that runs it.
        now: console time, UNIX seconds.
    """

    name: str
    sides: tuple[Side, ...]
    gateways: tuple[HostView, ...]
    now: float

    @property
    def own(self) -> Side:
        """The pane's host."""
        return self.sides[0]

    @property
    def merged(self) -> bool:
        """Whether other hosts are shown too."""
        return len(self.sides) > 1

    @property
    def story(self) -> Story | None:
        """The last answer of the pane's host."""
        return self.own.asked.value

    def pages(self) -> Iterator[tuple[str, Page]]:
        """Pages that go on, with the host that raised them."""
        for side in self.sides:
            if side.asked.value:
                yield from ((side.view.name, page) for page in side.asked.value.pages or ())
