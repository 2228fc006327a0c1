"""Who holds a host's automation is told to everybody who watches, and outlives the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from quantdeck_core.protocol.events import Event, FreezeEvent
from quantdeck_core.protocol.requests import FreezeAsk
from support.agents import agent


async def next_freeze(events: AsyncIterator[Event]) -> FreezeEvent:
    async for event in events:
        if isinstance(event, FreezeEvent):
            return event
    raise AssertionError("the stream ended")


async def test_a_freeze_is_told_and_outlives_the_agent(tmp_path: Path) -> None:
    async with agent(tmp_path) as one:
        client = one.client()
        events = client.events()
        await anext(events)
        await client.freeze(FreezeAsk(request_id="a", by="ada", reason="the launch is today"))
        frozen = (await next_freeze(events)).frozen
        assert frozen is not None
        assert (frozen.by, frozen.reason) == ("ada", "the launch is today")
        await client.freeze(FreezeAsk(request_id="b", by="bo", reason="me too"))
        assert (await client.status()).frozen == frozen
        await events.aclose()
        await client.close()
        await one.again()
        client = one.client()
        assert (await client.status()).frozen == frozen
        events = client.events()
        await anext(events)
        await client.unfreeze(FreezeAsk(request_id="c", by="bo", reason="it is out"))
        assert (await next_freeze(events)).frozen is None
        assert (await client.status()).frozen is None
        await events.aclose()
        await client.close()
