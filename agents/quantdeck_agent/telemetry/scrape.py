"""Small GET requests to all engines of a host, every second: httpcore without what httpx does around it."""

from __future__ import annotations

import asyncio
import time

import httpcore

MOST_BYTES = 4 << 20
"""A metrics page of vLLM has 50 to 500 KiB."""
_UNUSED_S = 60.0
_FAILED = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class Scraper:
    """A pool for each engine: httpcore looks at every connection of a pool for each request, and one engine that hangs
    takes no other's place."""

    def __init__(self) -> None:
        self._pools: dict[str, tuple[httpcore.AsyncConnectionPool, float]] = {}

    async def close(self) -> None:
        """Close its connections."""
        pools, self._pools = self._pools, {}
        for pool, _ in pools.values():
            await pool.aclose()

    async def get(
        self, url: str, timeout_s: float, key: str | None = None, *, keep_alive: bool = True
    ) -> tuple[int, bytes] | None:
        """Status and body; None where there was no whole answer within the time.

        Args:
            key: sent as a bearer token.
            keep_alive: whether the connection may stay open, which halves the cost (0.7 against 1.3 ms of CPU).
                llama.cpp gives each open one a thread: ours have 128, of somebody else's server it may be the last.
        """
        headers = [(b"User-Agent", b"quantdeck")]
        if key:
            headers.append((b"Authorization", b"Bearer " + key.encode()))
        if not keep_alive:
            headers.append((b"Connection", b"close"))
        try:
            async with asyncio.timeout(timeout_s):
                pool = await self._pool(url)
                try:
                    return await _get(pool, url, headers)
                except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                    return await _get(pool, url, headers)  # the engine closed the idle connection at that moment
        except (TimeoutError, OSError, *_FAILED):
            return None

    async def _pool(self, url: str) -> httpcore.AsyncConnectionPool:
        now = time.monotonic()
        origin = "/".join(url.split("/", 3)[:3])
        known = self._pools.get(origin)
        if known is None:
            for unused in [one for one, (_, used) in self._pools.items() if now - used > _UNUSED_S]:
                await self._pools.pop(unused)[0].aclose()
        pool = known[0] if known else httpcore.AsyncConnectionPool(max_connections=4, keepalive_expiry=30)
        self._pools[origin] = (pool, now)
        return pool


async def _get(
    pool: httpcore.AsyncConnectionPool, url: str, headers: list[tuple[bytes, bytes]]
) -> tuple[int, bytes] | None:
    async with pool.stream("GET", url, headers=headers) as response:
        body = bytearray()
        async for part in response.aiter_stream():
            body += part
            if len(body) > MOST_BYTES:
                return None
        return response.status, bytes(body)
