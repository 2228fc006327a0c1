"""Small GET requests to all engines of a host, every second: httpcore without what httpx does around it."""

from __future__ import annotations

import asyncio

import httpcore

MOST_BYTES = 4 << 20
"""A metrics page of vLLM has 50 to 500 KiB."""

_FAILED = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class Scraper:
    """One pool for all engines."""

    def __init__(self) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=128, max_keepalive_connections=64, keepalive_expiry=30
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._pool.aclose()

    async def get(
        self, url: str, timeout_s: float, key: str | None = None, *, keep_alive: bool = True
    ) -> tuple[int, bytes] | None:
        """Status and body; None where there was no whole answer within the time.

        Args:
            key: sent as a bearer token.
            keep_alive: whether the connection may stay open. llama.cpp keeps a thread for each open one.
        """
        headers = [(b"User-Agent", b"quantdeck")]
        if key:
            headers.append((b"Authorization", b"Bearer " + key.encode()))
        if not keep_alive:
            headers.append((b"Connection", b"close"))
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._get(url, headers)
                except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                    return await self._get(url, headers)  # the engine closed the idle connection at that moment
        except (TimeoutError, OSError, *_FAILED):
            return None

    async def _get(self, url: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes] | None:
        async with self._pool.stream("GET", url, headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_stream():
                body += part
                if len(body) > MOST_BYTES:
                    return None
            return response.status, bytes(body)
