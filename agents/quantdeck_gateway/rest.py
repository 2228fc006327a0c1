"""Whether the connection of a stream may be used again.

llama.cpp announces keep-alive for a stream and closes after it, and a request that is on its way then is lost. vLLM
keeps its word. So such connections rest at first: an engine that closes one of them has shown what it does, and one
that leaves several of them open is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from quantdeck_gateway.limits import REST_AGAIN_S, RESTING_CONNECTIONS

if TYPE_CHECKING:
    from quantdeck_gateway.upstream import UpstreamConnection

_PROVEN = 8
"""So many must have stayed open before those after them are used at once."""


class Rests:
    """The connections to one engine after a stream.

    Attributes:
        total: those that rest, of all engines, since descriptors are the process's.
    """

    total: ClassVar[int] = 0

    def __init__(self) -> None:
        self._resting: set[UpstreamConnection] = set()
        self._stayed = 0
        self._not_before = float("-inf")

    @property
    def needless(self) -> bool:
        """The engine keeps its word."""
        return self._stayed >= _PROVEN

    def begin(self, connection: UpstreamConnection, now: float) -> bool:
        """Whether a connection may rest; it does then."""
        if now < self._not_before or Rests.total >= RESTING_CONNECTIONS:
            return False
        self._resting.add(connection)
        Rests.total += 1
        return True

    def end(self, connection: UpstreamConnection) -> bool:
        """It has rested long enough; whether it was still there."""
        there = connection in self._resting
        self._stayed += there
        self.forget(connection)
        return there

    def forget(self, connection: UpstreamConnection) -> None:
        """It has ended, or need not rest."""
        if connection in self._resting:
            self._resting.discard(connection)
            Rests.total -= 1

    def closed(self, now: float, *, after_stream: bool) -> None:
        """The engine closed a connection, or takes none: what serves there next may be another, with nothing proven.

        Args:
            after_stream: shortly after one: none rests for a while. Not for ever: it may have been restarted then.
        """
        self._stayed = 0
        if after_stream:
            self._not_before = now + REST_AGAIN_S

    def close_all(self) -> None:
        """Close those that rest."""
        for connection in list(self._resting):
            self.forget(connection)
            connection.close()
