"""Hashing in one thread of low priority: hashes wait for each other, engines and verdicts do not wait for them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_NICE = 10


class Meter:
    """Bytes that another thread got through."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, count: int) -> None:
        """More of them."""
        self.value += count


class _StoppedError(Exception):
    pass


class Hasher:
    """The thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "hash", initializer=_step_back)

    async def run(self, work: Callable[[Callable[[int], None]], T], meter: Meter | None = None) -> T:
        """Do it in the thread; when the caller is cancelled it ends within a block.

        Args:
            work: takes the function that it calls with the bytes of each block.
        """
        stop = threading.Event()

        def progress(count: int) -> None:
            if stop.is_set():
                raise _StoppedError
            if meter:
                meter.add(count)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, progress)
        finally:
            stop.set()

    def close(self) -> None:
        """Wait for nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    """On Linux a thread has a niceness of its own."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
