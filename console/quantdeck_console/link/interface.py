"""What screens and commands need of the fleet; they know no SSH."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event
from quantdeck_core.protocol.requests import Applied, ChangeWeight, ClearLatch, Rollback

Listener = Callable[[str, Event | LinkChange], None]
"""Called in the event loop with a host's name and what came from it."""


class FleetLink(Protocol):
    """Connections to all hosts of a fleet.

    The three changes raise `quantdeck_core.errors.QuantdeckError`: `ConflictError`-like answers of the agent as
    `RemoteError`, a dead link as `UnreachableError`. Sending the same `request_id` again applies it once.
    """

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names, in the order of the fleet file."""

    async def run(self, listener: Listener) -> None:
        """Keep every host connected and report what comes, until cancelled."""

    async def change_weight(self, host: str, experiment: str, change: ChangeWeight) -> Applied:
        """Set the treatment's weight on one gateway."""

    async def roll_back(self, host: str, experiment: str, change: Rollback) -> Applied:
        """Everyone back to the control, latched."""

    async def clear_latch(self, host: str, experiment: str, change: ClearLatch) -> Applied:
        """Let the treatment start again from 5 %."""
