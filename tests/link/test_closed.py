"""A link that is closed under a call: the console that holds it connects again, and the call must say so."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import UnreachableError


async def test_calls_on_a_closed_link_are_unreachable() -> None:
    client = AgentClient("gpu-1", httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    await client.close()
    with pytest.raises(UnreachableError, match=r"The agent of gpu-1 does not answer: .* closed"):
        await client.version()
    with pytest.raises(UnreachableError, match=r"The agent of gpu-1 does not answer: .* closed"):
        async for _ in client.lines("/v1/logs/agent", httpx.Timeout(1.0)):
            pass


async def test_a_mistake_of_ours_stays_one() -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a mistake")

    client = AgentClient("gpu-1", httpx.MockTransport(broken))
    with pytest.raises(RuntimeError, match="a mistake"):
        await client.version()
    await asyncio.wait_for(client.close(), 5.0)
