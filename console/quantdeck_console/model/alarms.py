"""Pages of a whole fleet: whom to ask for them, and all of them in the order in which people should look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quantdeck_console.model.asked import Asked
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.alerts import Page, PageList, PageState, ReceiverStatus

LOOK_S = 10.0
"""Hosts with pages are asked again so often, for what no event tells: an owner, a note, a receiver."""
_TAKEN: tuple[PageState, ...] = ("open", "snoozed", "acknowledged", "ended")


@dataclass(frozen=True, kw_only=True)
class Look:
    """A host that was asked for its pages.

    Attributes:
        mark: what its events told when it was asked: once they tell something else it is asked again.
        tried: console time of the last try, UNIX seconds.
    """

    asked: Asked[PageList]
    mark: object
    tried: float

    @property
    def empty(self) -> bool:
        """It has nothing to show."""
        listed = self.asked.value
        return (
            self.asked.error is None
            and listed is not None
            and all(page.ended for page in listed.pages)
            and not any(one.problem for one in listed.receivers)
        )


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """One page that goes on.

    Attributes:
        state: who has it, by its host's clock.
        stale: its host is out of reach: this is what it said last.
    """

    host: str
    page: Page
    state: PageState
    stale: bool

    @property
    def key(self) -> tuple[str, int]:
        """Names it."""
        return self.host, self.page.id


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """All that is known of a fleet's pages.

    Attributes:
        rows: failures first, those that nobody has first, the oldest first.
        silent: hosts that cannot be asked now.
        failing: hosts that were asked and did not tell, with the reason.
        deaf: receivers that take no pages, by host.
        untold: hosts that tell nobody outside.
        asked: hosts that have answered.
        waiting: hosts that have not yet.
    """

    rows: tuple[PageRow, ...]
    silent: tuple[str, ...]
    failing: tuple[tuple[str, str], ...]
    deaf: tuple[tuple[str, ReceiverStatus], ...]
    untold: tuple[str, ...]
    asked: int
    waiting: int


def mark_of(view: HostView) -> object:
    """Another value whenever a host's pages may be others."""
    status = view.status
    return view.linked_at, status and (status.pages, status.alarms[-1:])


def due(state: FleetState, looks: Mapping[str, Look], now: float) -> list[HostView]:
    """Whom to ask at a console time: who was never asked, has news, or has pages and was not asked for a while.

    A quiet fleet is asked once.
    """
    return [view for view in state.hosts.values() if _reachable(view) and _is_due(view, looks.get(view.name), now)]


def alarms_of(state: FleetState, looks: Mapping[str, Look], now: float) -> Alarms:
    """Everything, at a console time."""
    views = state.hosts.values()
    known = [(view, look, look.asked.value) for view in views if (look := looks.get(view.name))]
    told = [(view, look, listed) for view, look, listed in known if listed is not None]
    rows = [
        PageRow(host=view.name, page=page, state=page.state(host_now(look, now)), stale=not _reachable(view))
        for view, look, listed in told
        for page in listed.pages
        if not page.ended
    ]
    current = [(view, listed) for view, look, listed in told if _reachable(view) and look.asked.error is None]
    return Alarms(
        rows=tuple(sorted(rows, key=_worst_first)),
        silent=tuple(view.name for view in views if not _reachable(view)),
        failing=tuple(
            (view.name, look.asked.error.detail) for view, look, _ in known if _reachable(view) and look.asked.error
        ),
        deaf=tuple((view.name, one) for view, listed in current for one in listed.receivers if one.problem),
        untold=tuple(view.name for view, listed in current if not listed.receivers),
        asked=len(current),
        waiting=sum(_reachable(view) and view.name not in looks for view in views),
    )


def host_now(look: Look, now: float) -> float:
    """What a host's clock says at a console time; its pages' times are by that."""
    listed, at = look.asked.value, look.asked.at
    return now if listed is None or at is None else listed.now + now - at


def of_nobody(rows: Iterable[PageRow]) -> dict[str, list[Page]]:
    """The pages that somebody has to take, by host; not those of hosts that are out of reach."""
    found: dict[str, list[Page]] = {}
    for row in rows:
        if row.state == "open" and not row.stale:
            found.setdefault(row.host, []).append(row.page)
    return found


def _reachable(view: HostView) -> bool:
    return view.link.state == "connected" and view.status is not None


def _is_due(view: HostView, look: Look | None, now: float) -> bool:
    if look is None or look.mark != mark_of(view):
        return True
    return not look.empty and now - look.tried >= LOOK_S


def _worst_first(row: PageRow) -> tuple[bool, bool, int, float, str]:
    return row.stale, row.page.level != "fail", _TAKEN.index(row.state), row.page.began, row.host
