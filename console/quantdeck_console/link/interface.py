"""What screens and commands need of the fleet; they know no SSH."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event

if TYPE_CHECKING:
    from quantdeck_console.link.deck_client import DeckClient

Listener = Callable[[str, Event | LinkChange], None]
"""Called in the event loop with a host's name and what came from it."""

T = TypeVar("T")


class FleetLink(Protocol):
    """Connections to all hosts of a fleet."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names, in the order of the fleet file."""

    async def run(self, listener: Listener) -> None:
        """Keep every host connected and report what comes, until cancelled."""

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        """Make a call to one host's agent; a change with the same `request_id` is applied once.

        Raises:
            QuantdeckError: what the agent refuses as `RemoteError`, a dead or missing link as `UnreachableError`.
        """
