"""A link that is given up: what is under way over it, and what comes after, is told that the host does not answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_core.errors import UnreachableError
from support.agents import short_folder
from support.waiting import eventually


async def test_a_link_that_is_given_up_while_an_agent_hangs() -> None:
    asked = 0
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        await ended.wait()
        writer.close()

    with short_folder() as folder:
        server = await asyncio.start_unix_server(hang, folder / "s")
        client = DeckClient("gpu-7", httpx.AsyncHTTPTransport(uds=str(folder / "s")))
        under_way = asyncio.create_task(client.distributions("e"))
        await eventually(lambda: asked)
        await client.close()
        for question in (under_way, client.status(), client.events().__anext__()):
            with pytest.raises(UnreachableError, match="The agent of gpu-7 does not answer"):
                await question
        assert asked == 1
        ended.set()
        server.close()
        await server.wait_closed()
