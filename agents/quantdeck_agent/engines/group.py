"""All processes that serve, or are to serve, under one name."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_core.engines.restart import Restarts
from quantdeck_core.protocol.engine import EngineStatus


class Group:
    """One engine's replicas.

    Attributes:
        deployment: what is wanted; None before the first start has succeeded and after a stop.
        active: replicas that have the name's traffic, or had it until they failed.
        coming: processes that are being started; they take over when all of them are ready.
        leaving: processes that drain.
        note: what else there is to say.
        restarts: by replica, what is remembered of its starts.
        due: by replica, monotonic time of its next start.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.deployment: Deployment | None = None
        self.active: list[Instance] = []
        self.coming: list[Instance] = []
        self.leaving: list[Instance] = []
        self.note = ""
        self.restarts: dict[int, Restarts] = {}
        self.due: dict[int, float] = {}

    def instances(self) -> list[Instance]:
        """All of them, whatever becomes of them."""
        return [*self.active, *self.coming, *self.leaving]

    def serving(self) -> tuple[EngineRecord, ...]:
        """Replicas that may get requests."""
        return tuple(one.record for one in self.active if one.state == "ready" and not one.record.lends)

    def replica(self, index: int) -> Instance | None:
        """The active one of this number."""
        return next((one for one in self.active if one.record.replica == index), None)

    @property
    def empty(self) -> bool:
        """Whether nothing is left of it."""
        return not self.instances()

    def statuses(self) -> Iterator[EngineStatus]:
        """What watchers are told: one for each replica."""
        active = {one.record.replica: one for one in self.active}
        coming = {one.record.replica: one for one in self.coming}
        leaving = {one.record.replica: one for one in self.leaving}
        for index in sorted({*active, *coming, *leaving}):
            shown = active.get(index) or coming.get(index) or leaving[index]
            following = coming.get(index) if index in active else None
            note = f"replacement {following.record.generation}: {following.state}" if following else self.note
            yield shown.status(note)
