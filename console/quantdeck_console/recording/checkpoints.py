"""Fleets as they were at places of a recording, so that winding back does not read it from its beginning."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from quantdeck_console.recording.tape import Entry, Position
from quantdeck_core.fleet.state import FleetState, HostView

FIRST_EVERY_S = 60.0
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A fleet just before a line of the file.

    Attributes:
        t: recorded time of the line before.
        number: of the line at the position.
        views: of its hosts, packed: what differs from one place to the next is little.
    """

    t: float
    position: Position
    number: int
    views: bytes

    def fleet(self) -> FleetState:
        """As it was."""
        views = msgspec.msgpack.decode(zlib.decompress(self.views), type=tuple[HostView, ...])
        return FleetState(hosts=MappingProxyType({view.name: view for view in views}))


class Checkpoints:
    """One a minute, in the order of the file; farther apart where they would take too much memory."""

    def __init__(self) -> None:
        self._kept: list[Checkpoint] = []
        self._every_s = FIRST_EVERY_S

    def wanted(self, t: float, since: float) -> bool:
        """Whether there should be one at a recorded time; `since`: when the recording began."""
        return t - (self._kept[-1].t if self._kept else since) >= self._every_s

    def add(self, t: float, before: Entry, fleet: FleetState) -> None:
        """Keep one, before a line that is farther on in the file than all others."""
        views = zlib.compress(msgspec.msgpack.encode(tuple(fleet.hosts.values())), level=1)
        self._kept.append(Checkpoint(t, before.position, before.number, views))
        while sum(len(one.views) for one in self._kept) > MOST_BYTES:
            self._kept = self._kept[1::2]
            self._every_s *= 2

    def before(self, t: float) -> Checkpoint | None:
        """The last one at or before a recorded time."""
        return next((one for one in reversed(self._kept) if one.t <= t), None)
