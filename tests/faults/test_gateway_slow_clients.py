"""Rows 21 and 22: clients that write slowly are cut off, clients that do not read cost nothing but themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.lab.client import Connection
from gateway.lab.process import Experiment, Gateway, rss_mib
from gateway.lab.replay import replay

HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n"


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that waits a second for a header, and two for a body."""
    gateway = Gateway(tmp_path, "--header-seconds", "1", "--body-seconds", "2")
    yield gateway
    assert gateway.end() == 0


@contextlib.asynccontextmanager
async def dripping(client: Connection, data: bytes) -> AsyncIterator[None]:
    """A byte now and then, for ever: each shows that the client lives."""

    async def drip() -> None:
        while True:
            with contextlib.suppress(OSError):
                client.writer.write(data)
                await client.writer.drain()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(drip())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def cut_after(gateway: Gateway, beginning: bytes, drip: bytes) -> tuple[float, bytes]:
    """When the gateway ends such a connection (s), and what it said before."""
    async with gateway.connect() as client:
        began = time.monotonic()
        client.writer.write(beginning)
        said = b""
        async with dripping(client, drip):
            with contextlib.suppress(ConnectionResetError):
                while data := await client.reader.read(65536):
                    said += data
        return time.monotonic() - began, said


SLOW = {
    "says nothing": (b"", b""),
    "blank lines": (b"", b"\r\n"),
    "request line": (b"POST /v1/comp", b"x"),
    "field": (b"POST / HTTP/1.1\r\nX: ", b"x"),
    "fields": (b"POST / HTTP/1.1\r\n", b"X: x\r\n"),
    "body": (HEAD + b"\r\n", b"x"),
    "chunks": (HEAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked") + b"\r\n", b"1\r\nx\r\n"),
    "chunk extension": (HEAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked") + b"\r\n1;", b"x"),
    "trailer": (HEAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked") + b"\r\n0\r\n", b"X: x\r\n"),
}


@pytest.mark.parametrize("case", SLOW)
async def test_slow_loris(hasty: Gateway, experiment: Experiment, case: str) -> None:
    await hasty.serve(experiment.route())
    took, said = await cut_after(hasty, *SLOW[case])
    assert took > 1
    if SLOW[case][0]:
        assert said.startswith(b"HTTP/1.1 408 ")
    assert (await hasty.chat()).status == 200
    assert len(experiment.control.seen) == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_slow_loris_with_the_usual_deadlines(gateway: Gateway) -> None:
    header, body = await asyncio.gather(cut_after(gateway, *SLOW["fields"]), cut_after(gateway, *SLOW["body"]))
    assert 10 <= header[0] < 20
    assert 30 <= body[0] < 40


async def test_deadlines_begin_anew_with_each_request(hasty: Gateway, experiment: Experiment) -> None:
    await hasty.serve(experiment.route())
    async with hasty.connect() as client:
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            assert (await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})).status == 200
            await asyncio.sleep(0.3)


async def test_a_client_that_never_reads(gateway: Gateway, experiment: Experiment) -> None:
    """A long stream fills the buffers on the way and then waits in the engine; others go on."""
    event = b"data: " + b"x" * 65_000 + b"\n\n"
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    async with replay() as engine:
        await gateway.serve(experiment.route(), engine.route("endless"))
        chat = json.dumps({"model": experiment.name}).encode()
        assert (await gateway.ask("POST", "/v1/completions", chat, {"x-user-id": "u"})).status == 200
        before = rss_mib(gateway.process.pid)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        engine.say(head, *[chunk] * 4_000, b"0\r\n\r\n")
        async with gateway.connect() as deaf:
            # Past the limit of its own buffer the reader stops: from then on nothing more is read here.
            deaf.send("POST", "/v1/completions", b'{"model":"endless"}', {"x-user-id": "u"})
            written = -1
            while engine.written != written:
                written = engine.written
                for _ in range(20):
                    assert (await gateway.ask("POST", "/v1/completions", chat, {"x-user-id": "u"})).status == 200
                await asyncio.sleep(0.2)
            assert 0 < written < len(chunk) * 4_000 / 4
            assert rss_mib(gateway.process.pid) - before < 10
            assert (await deaf.head()).status == 200
            while await deaf.chunk():
                pass
        assert engine.written == len(head) + 4_000 * len(chunk) + 5
