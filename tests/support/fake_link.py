"""A fleet's wire in memory, for screens: the real one is tested elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quantdeck_console.link.interface import Listener
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event, Snapshot
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Applied, ChangeWeight, ClearLatch, Rollback
from support.fleets import NOW


class Clock:
    """Time that moves only when told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Answer = Applied | QuantdeckError


class FakeLink:
    """A fleet's wire in memory: it says `script` at once, records every change, and answers as told.

    Attributes:
        asked: host, experiment and message of every change, in order.
        answers: what to answer by host, used up one by one; the last one stays.
        gate: changes wait here, so that a test can look at what is shown meanwhile.
    """

    def __init__(self, *statuses: HostStatus, hosts: Sequence[str] = (), role: str = "operator") -> None:
        self.hosts = tuple(hosts) or tuple(status.name for status in statuses)
        self.role = role
        self.statuses = statuses
        self.asked: list[tuple[str, str, ChangeWeight | Rollback | ClearLatch]] = []
        self.answers: dict[str, list[Answer]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self._listener: Listener | None = None

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        for status in self.statuses:
            self.say(status.name, LinkChange(state="connected", role=self.role))
            self.say(status.name, Snapshot(revision=1, status=status))
        await asyncio.Event().wait()

    def say(self, host: str, update: Event | LinkChange) -> None:
        """Let a host say something."""
        assert self._listener is not None
        self._listener(host, update)

    async def change_weight(self, host: str, experiment: str, change: ChangeWeight) -> Applied:
        return await self._answer(host, experiment, change)

    async def roll_back(self, host: str, experiment: str, change: Rollback) -> Applied:
        return await self._answer(host, experiment, change)

    async def clear_latch(self, host: str, experiment: str, change: ClearLatch) -> Applied:
        return await self._answer(host, experiment, change)

    async def _answer(self, host: str, experiment: str, change: ChangeWeight | Rollback | ClearLatch) -> Applied:
        self.asked.append((host, experiment, change))
        await self.gate.wait()
        queue = self.answers.get(host) or [Applied(revision=4, effective_ms=6.2)]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, QuantdeckError):
            raise answer
        return answer
