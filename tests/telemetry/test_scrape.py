"""Scraping real servers on loopback, good and bad ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from quantdeck_agent.telemetry import scrape
from quantdeck_agent.telemetry.scrape import Scraper

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handled, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/metrics"
    finally:
        listening.close()


@asynccontextmanager
async def scraper() -> AsyncIterator[Scraper]:
    one = Scraper()
    try:
        yield one
    finally:
        await one.close()


async def test_connections_are_kept_or_closed_and_a_key_is_sent() -> None:
    connections, heads = 0, []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()
            if "Connection: close" in heads[-1]:
                return

    async with server(serve) as url, scraper() as one:
        for _ in range(3):
            assert await one.get(url, 2.0, "secret") == (200, b"ok")
        assert connections == 1
        for _ in range(3):
            assert await one.get(url, 2.0, keep_alive=False) == (200, b"ok")
        assert connections in (3, 4)  # the first of them went over the one that was open
    assert ["Authorization: Bearer secret" in head for head in heads] == [True] * 3 + [False] * 3
    assert heads[0].startswith("GET /metrics HTTP/1.1\r\n")


async def test_a_connection_that_the_engine_closed_meanwhile_is_no_hole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")  # the second request gets no answer

    async with server(serve) as url, scraper() as one:
        assert [await one.get(url, 2.0) for _ in range(4)] == [(200, b"ok")] * 4


async def test_what_does_not_answer_is_none_within_its_deadline() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
        await reader.read()

    async with server(hang) as url, scraper() as one:
        before = time.monotonic()
        assert await one.get(url, 0.1) is None
        assert time.monotonic() - before < 5
    async with scraper() as one:
        assert await one.get(url, 2.0) is None  # nobody listens any more


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nx\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_none(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with server(serve) as url, scraper() as one:
        assert await one.get(url, 2.0) is None


async def test_a_page_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "MOST_BYTES", 100_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with server(serve) as url, scraper() as one:
        assert await one.get(url, 10.0) is None


async def test_other_statuses_are_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with server(serve) as url, scraper() as one:
        assert await one.get(url, 2.0) == (501, b"")
