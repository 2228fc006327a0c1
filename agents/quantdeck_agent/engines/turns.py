"""One start at a time on each GPU: two engines that measure free memory together both find it (vllm#17979)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class Turns:
    """A lock for each GPU."""

    def __init__(self) -> None:
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def taken(self, gpus: tuple[int, ...]) -> bool:
        """Whether somebody else starts on one of them now."""
        return any(self._locks[gpu].locked() for gpu in gpus)

    @asynccontextmanager
    async def on(self, gpus: tuple[int, ...]) -> AsyncIterator[None]:
        """Hold all of them; always taken in the same order, so that no two wait for each other."""
        async with AsyncExitStack() as held:
            for gpu in sorted(set(gpus)):
                await held.enter_async_context(self._locks[gpu])
            yield
