"""What a guard asks of hosts: each wish until it is acknowledged, with pauses that grow while it fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import random

from quantdeck_core.alerts.retry import pause_s
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.several import Key

Told = Callable[[Key, Applied | QuantdeckError], None]


class Asks:
    """Those under way, and what is remembered of the others.

    Attributes:
        sent: what was sent at least once.
        answered: what an agent has acknowledged as done, and the revision that it named.
    """

    def __init__(self, told: Told) -> None:
        """`told` is called with every answer and every failure."""
        self._told = told
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._failures: dict[Key, int] = {}
        self._not_before: dict[Key, float] = {}
        self.sent: set[Key] = set()
        self.answered: dict[Key, int] = {}

    @property
    def under_way(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._running)

    def start(self, key: Key, call: Callable[[], Awaitable[Applied]]) -> None:
        """Ask, unless it is under way or pauses after a failure."""
        if key in self._running or time.monotonic() < self._not_before.get(key, 0.0):
            return
        self.sent.add(key)
        self._running[key] = asyncio.create_task(self._one(key, call))

    def again(self, host: str) -> None:
        """A host is back and says how it stands: what is still to be done is asked at once."""
        for memory in (self._not_before, self._failures, self.answered):
            for key in [key for key in memory if key[1] == host]:
                del memory[key]

    async def end(self) -> None:
        """Wait for nothing any more. What was sent is applied once, however often it is sent later."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, key: Key, call: Callable[[], Awaitable[Applied]]) -> None:
        answer: Applied | QuantdeckError
        try:
            answer = await call()
        except QuantdeckError as error:
            answer = error
        finally:
            del self._running[key]
        if isinstance(answer, Applied) and not answer.pending:
            self.answered[key] = answer.revision
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            self._not_before[key] = time.monotonic() + pause_s(self._failures[key], random())
        self._told(key, answer)
