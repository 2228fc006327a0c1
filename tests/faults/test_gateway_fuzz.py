"""Requests that were good until somebody changed them: each gets well-formed answers or a close, and nothing else
happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.lab.process import Gateway
from gateway.lab.replay import Replay, replay

QUIET_S = 0.05
"""After so long without a byte no more is waited for; what is not there by then is not judged."""

HOST = b"Host: h\r\n"
GOOD = (
    b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b'x-user-id: u\r\nContent-Length: 11\r\n\r\n{"model":1}',
    b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2;e=f\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/embeddings HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/completions HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD /v1/models HTTP/1.1\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
)  # fmt: skip
SPICE = (
    b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b":", b" ", b"\t", b";", b",", b"0", b"-", b"0\r\n\r\n", b"\r\n\r\n",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n", b"Upgrade: x\r\n", b"Expect: x\r\n",
    b"Connection: upgrade\r\n", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 70_000,
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(("insert", "replace", "cut", "twice")), st.sampled_from(SPICE)),
    max_size=3,
)
MESSAGES = st.lists(st.tuples(st.sampled_from(GOOD), CHANGES), min_size=1, max_size=5)
STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [A-Za-z -]+\r\n")


def changed(message: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    for where, how, spice in changes:
        at = int(where * len(message))
        rest = {"insert": at, "replace": at + len(spice), "cut": at + 5, "twice": max(0, at - 20)}[how]
        message = message[:at] + (spice if how in ("insert", "replace") else b"") + message[rest:]
    return message


def well_formed(said: bytes) -> None:
    """Whole answers, the last perhaps under way."""
    while said:
        status = STATUS.match(said)
        assert status, said[:200]
        head, end, said = said.partition(b"\r\n\r\n")
        if not end or status[1] == b"100":
            continue
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert len(fields) == head.count(b"\r\n"), head
        length = int(fields[b"content-length"])
        # An answer to HEAD has a length and no body: the next one follows, or nothing.
        if not STATUS.match(said):
            said = said[length:]


@pytest.fixture
async def engine(gateway: Gateway) -> AsyncIterator[Replay]:
    async with replay() as one:
        one.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await gateway.serve(one.route("fuzz"))
        yield one
        await gateway.serve()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, cuts=st.lists(st.floats(0, 1), max_size=3))
async def test_changed_requests(
    gateway: Gateway, engine: Replay, messages: list[tuple[bytes, list[tuple[float, str, bytes]]]], cuts: list[float]
) -> None:
    sent = b"".join(changed(*message) for message in messages)
    places = [0, *sorted(int(cut * len(sent)) for cut in cuts), len(sent)]
    said = b""
    async with gateway.connect() as client:
        for begin, end in pairwise(places):
            client.writer.write(sent[begin:end])
            await asyncio.sleep(0)
        try:
            while data := await asyncio.wait_for(client.reader.read(65536), QUIET_S):
                said += data
        except (TimeoutError, ConnectionError):
            pass
    well_formed(said)
    for head in engine.seen:
        line, *fields = head.split(b"\r\n")[:-2]
        assert line in {b"POST /v1/%b HTTP/1.1" % name for name in (b"chat/completions", b"completions", b"embeddings")}
        names = [field.partition(b":")[0].lower() for field in fields]
        assert names.count(b"content-length") == names.count(b"host") == 1
        assert b"transfer-encoding" not in names
    engine.seen.clear()
    assert (await gateway.ask("GET", "/health")).body == b'{"status":"ok"}'
