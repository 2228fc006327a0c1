"""What holds for a fleet as a whole: who holds its automation, and how many pages nobody has."""

from __future__ import annotations

import msgspec

from quantdeck_core.fleet.cells import clock_minutes, listed, plural
from quantdeck_core.fleet.state import FleetState


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A freeze over some or all hosts.

    Attributes:
        hosts: that are frozen, of `known` that were heard.
        by: who froze them.
        since, reason: of the first one, by its host's clock.
    """

    hosts: int
    known: int
    by: tuple[str, ...]
    since: float
    reason: str

    @property
    def whole(self) -> bool:
        """Every host that was heard is frozen."""
        return self.hosts == self.known

    @property
    def tag(self) -> str:
        """In a few words: ``FROZEN by ada``, ``FROZEN 2/3 by ada and 1 more``."""
        part = "" if self.whole else f" {self.hosts}/{self.known}"
        return f"FROZEN{part} by {listed(self.by, 1)}"

    @property
    def sentence(self) -> str:
        """All of it: ``frozen by ada since 02:10 on 2 of 3 hosts: the launch is today``."""
        where = "" if self.whole else f" on {self.hosts} of {plural(self.known, 'host')}"
        return f"frozen by {listed(self.by)} since {clock_minutes(self.since)}{where}: {self.reason}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What every pane says of the whole fleet.

    Attributes:
        pages: that somebody has to take.
    """

    frozen: Frozen | None = None
    pages: int = 0


def frozen_of(state: FleetState) -> Frozen | None:
    """The freeze as hosts said last; None where none is."""
    known = [view.status for view in state.hosts.values() if view.status]
    held = [status.frozen for status in known if status.frozen]
    if not held:
        return None
    first = min(held, key=lambda one: one.since)
    by = tuple(dict.fromkeys(one.by for one in held))
    return Frozen(hosts=len(held), known=len(known), by=by, since=first.since, reason=first.reason)


def standing_of(state: FleetState) -> Standing:
    """How it stands now; pages of hosts that are out of reach are not counted."""
    views = (view for view in state.hosts.values() if view.link.state == "connected")
    return Standing(frozen=frozen_of(state), pages=sum(view.status.pages.nobody for view in views if view.status))
