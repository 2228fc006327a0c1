"""A slow reader in a thread of its own, so that neither the event loop nor the agent's end waits for it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Runs one call at a time. The thread is a daemon: a driver that never answers does not keep the agent alive.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], T], Future[T]]] = queue.SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None
        self._pending: Future[T] | None = None
        self._since = 0.0

    @property
    def silent_s(self) -> float:
        """How long the present call has been running, seconds; 0 without one."""
        return time.monotonic() - self._since if self._pending else 0.0

    async def run(self, call: Callable[[], T], wait_s: float) -> T | None:
        """The call's result; None where it, or one before it, is not done within the time. It then goes on.

        Raises:
            Exception: what the call raised.
        """
        if self._pending is None:
            self._begin(call)
        pending = self._pending
        assert pending is not None  # noqa: S101 - begun just now
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the result.
            async with asyncio.timeout(wait_s):
                result = await asyncio.shield(asyncio.wrap_future(pending))
        except TimeoutError:
            return None
        except BaseException:
            if pending.done():
                self._pending = None
            raise
        self._pending = None
        return result

    def _begin(self, call: Callable[[], T]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._pending, self._since = Future(), time.monotonic()
        self._calls.put((call, self._pending))

    def _work(self) -> None:
        while True:
            call, future = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
