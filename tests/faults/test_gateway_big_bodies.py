"""Row 36: a gibibyte of body and JSON without bottom are refused, and memory hardly grows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from gateway.lab.client import Connection
from gateway.lab.process import Experiment, Gateway, rss_mib

POST = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nx-user-id: u\r\n"
PIECE = b"x" * 2**20
GIB = 2**30
GROWTH_MIB = 50


@pytest.fixture
def small(gateway: Gateway) -> Iterator[None]:
    """Memory at the end is about what it was; the kernel's own peak says so, not a look now and then."""
    pid = gateway.process.pid
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")
    before = rss_mib(pid)
    yield
    with open(f"/proc/{pid}/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak / 1024 - before < GROWTH_MIB


async def pour(client: Connection, begin: bytes, piece: bytes) -> None:
    """Send up to a gibibyte, until nobody takes any more."""
    client.writer.write(begin)
    with contextlib.suppress(OSError):
        for _ in range(GIB // len(PIECE)):
            client.writer.write(piece)
            await client.writer.drain()


CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("begin", "piece"),
    [(b"Content-Length: %d\r\n\r\n" % GIB, PIECE), (CHUNKS, b"100000\r\n" + PIECE + b"\r\n"),
     (CHUNKS + b"40000000\r\n", PIECE)],
    ids=["length", "chunks", "one chunk"],
)  # fmt: skip
async def test_gibibyte(gateway: Gateway, experiment: Experiment, begin: bytes, piece: bytes) -> None:
    await gateway.serve(experiment.route())
    async with gateway.connect() as client:
        sending = asyncio.create_task(pour(client, POST + begin, piece))
        reply = await asyncio.wait_for(client.reply(), 30)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert (reply.status, reply.error, reply.headers["connection"]) == (413, "body_too_large", "close")
    assert experiment.control.seen == []


@pytest.mark.usefixtures("small")
async def test_gibibyte_of_chunks_of_two_bytes(gateway: Gateway, experiment: Experiment) -> None:
    """Each would cost an object while it waits, twenty times what it holds."""
    await gateway.serve(experiment.route())
    async with gateway.connect() as client:
        sending = asyncio.create_task(pour(client, POST + CHUNKS, b"2\r\nxx\r\n" * 150_000))
        reply = await asyncio.wait_for(client.reply(), 30)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert (reply.status, reply.error) == (400, "bad_framing")
    assert experiment.control.seen == []


async def test_a_large_body_may_come_in_small_chunks(gateway: Gateway, experiment: Experiment) -> None:
    body = b'{"text":"' + b"x" * 10_000_000 + b'"}'
    await gateway.serve(experiment.route())
    async with gateway.connect() as client:
        client.writer.write(POST + CHUNKS)
        for at in range(0, len(body), 512):
            piece = body[at : at + 512]
            client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.writer.write(b"0\r\n\r\n")
        reply = await client.reply()
    assert reply.status == 200
    assert experiment.control.seen[0][1] == body


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("depth", [10_000, 1_000_000])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/v1/embeddings"])
async def test_json_without_bottom(gateway: Gateway, experiment: Experiment, path: str, depth: int) -> None:
    other = Experiment(f"{experiment.name}-other", experiment.treatment, experiment.control)
    await gateway.serve(experiment.route(), other.route())
    for begin, end in ((b"[", b"]"), (b'{"messages":', b"}"), (b'{"user":', b"}"), (b'{"model":[', b"]}")):
        reply = await gateway.ask("POST", path, begin * depth + b"0" + end * depth)
        assert (reply.status, reply.error) == (400, "invalid_json")
    assert experiment.control.seen == []


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/v1/embeddings"])
@pytest.mark.parametrize("depth", [1_000, 10_000])
async def test_json_without_bottom_of_a_user_who_is_known(
    gateway: Gateway, experiment: Experiment, path: str, depth: int
) -> None:
    """The body is the engine's business, but a Python engine would answer 500, and the variant be judged by that."""
    await gateway.serve(experiment.route())
    body = b'{"x":' + b'{"x":[' * depth + b"]}" * depth + b"}"
    reply = await gateway.ask("POST", path, body, {"x-user-id": "u"})
    assert (reply.status, reply.error) == (400, "invalid_json")
    assert experiment.control.seen == []


async def test_a_body_may_have_many_brackets_side_by_side(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    body = b'{"x":[' + b",".join([b'{"x":[[1]]}'] * 100_000) + b"]}"
    assert (await gateway.ask("POST", "/v1/completions", body, {"x-user-id": "u"})).status == 200
    assert experiment.control.seen[0][1] == body
