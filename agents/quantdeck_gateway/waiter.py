"""A request in an arm's queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quantdeck_core.protocol.gateway import Priority
from quantdeck_gateway.arm import CANCELLED, Arm

if TYPE_CHECKING:
    from quantdeck_gateway.client import ClientConnection

BESIDE_BODY = 4096
"""Bytes that a request holds beside its body, about."""


class Waiter:
    """Waits for the arm's word, or for the client to leave.

    Args:
        start: sends the request on.
        refuse: answers it with 429 and the seconds after which it may come again.
        left: called when its client has left.
    """

    def __init__(
        self,
        client: ClientConnection,
        arm: Arm,
        priority: Priority,
        size: int,
        since: float,
        start: Callable[[], None],
        refuse: Callable[[int], None],
        left: Callable[[], None],
    ) -> None:
        self.priority, self.size, self.since = priority, size, since
        self.start, self.refuse, self._left = start, refuse, left
        self._arm = arm
        client.begin(self)

    def client_left(self) -> None:
        """Nobody waits any more."""
        self._arm.overload.leave(self)
        self._arm.cancelled += 1
        self._arm.by_class[CANCELLED] += 1
        self._left()

    def client_slow(self) -> None:
        """Of no matter: nothing is written yet."""

    def client_ready(self) -> None:
        """Of no matter: nothing is written yet."""

    def tick(self, client_slow: bool) -> None:
        """The arm counts how long it waits."""
