"""Answers that real engines gave, replayed: the client gets them byte for byte, however TCP and chunks cut them.

`tests/clients/record.py` records them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.lab.client import Reply
from gateway.lab.process import Gateway
from gateway.lab.replay import Replay, replay

ANSWERS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "recorded").glob("*.http"))}
STREAMS = [name for name in ANSWERS if name.endswith("-stream")]
OWN = ("transfer-encoding", "content-length", "connection", "keep-alive", "x-request-id")


def parts(answer: bytes) -> tuple[bytes, bytes]:
    """Head and framed body."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def chunks(framed: bytes) -> list[bytes]:
    """The data of each chunk."""
    found = []
    while framed:
        size, _, framed = framed.partition(b"\r\n")
        length = int(size, 16)
        if length:
            found.append(framed[:length])
        framed = framed[length + 2 :]
    return found


def expected(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body, read here without a parser of the gateway's."""
    head, framed = parts(answer)
    first, *lines = head.decode().split("\r\n")[:-2]
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b"".join(chunks(framed)) if fields.get("transfer-encoding", "").lower() == "chunked" else framed
    return int(first.split()[1]), {name: value for name, value in fields.items() if name not in OWN}, body


def same(reply: Reply, answer: bytes) -> None:
    """What the client got is what the engine said."""
    status, fields, body = expected(answer)
    assert (reply.status, reply.body, reply.whole) == (status, body, True)
    assert {name: reply.headers.get(name) for name in fields} == fields


def cut(data: bytes, where: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(one % len(data) for one in where)})
    return [data[begin:end] for begin, end in pairwise(places)]


@pytest.fixture
async def engine(gateway: Gateway) -> AsyncIterator[Replay]:
    """The only engine of an experiment."""
    async with replay() as one:
        await gateway.serve(one.route("recorded"))
        yield one
        await gateway.serve()


async def asked(gateway: Gateway, times: int = 1) -> list[Reply]:
    """Requests on one connection."""
    async with gateway.connect() as client:
        return [await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"}) for _ in range(times)]


def slowly(function: object) -> object:
    """Few examples of many bytes; the gateway and its engine are shared by them."""
    return settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])(function)


CUTS = st.lists(st.integers(0, 1 << 16), max_size=12)
PAUSES = st.sampled_from([0.0, 0.002])
"""With one, the gateway reads each piece by itself; without, it may read several at once."""


OFTEN = sorted(name for name in ANSWERS if expected(ANSWERS[name])[0] < 500)
"""An engine that answers 500 five times in a row gets no more requests."""


def test_there_are_answers_of_each_engine() -> None:
    assert {name.partition(".")[0] for name in ANSWERS} == {"llama-server", "llama-cpp-python", "vllm"}


@pytest.mark.parametrize("name", ANSWERS)
async def test_as_recorded(gateway: Gateway, engine: Replay, name: str) -> None:
    engine.say(ANSWERS[name])
    for reply in await asked(gateway, 3):
        same(reply, ANSWERS[name])


@pytest.mark.parametrize("name", ANSWERS)
async def test_byte_by_byte(gateway: Gateway, engine: Replay, name: str) -> None:
    engine.say(*(bytes([byte]) for byte in ANSWERS[name]))
    for reply in await asked(gateway, 2):
        same(reply, ANSWERS[name])


@slowly  # type: ignore[arg-type]
@given(name=st.sampled_from(OFTEN), where=CUTS, pause_s=PAUSES)
async def test_whatever_tcp_does(gateway: Gateway, engine: Replay, name: str, where: list[int], pause_s: float) -> None:
    engine.say(*cut(ANSWERS[name], where))
    engine.pause_s = pause_s
    for reply in await asked(gateway, 2):
        same(reply, ANSWERS[name])


@slowly  # type: ignore[arg-type]
@given(name=st.sampled_from(STREAMS), sizes=CUTS, where=CUTS, times=st.integers(1, 40), pause_s=PAUSES)
async def test_whatever_the_size_of_chunks(
    gateway: Gateway, engine: Replay, name: str, sizes: list[int], where: list[int], times: int, pause_s: float
) -> None:
    head, framed = parts(ANSWERS[name])
    body = b"".join(chunks(framed)) * times
    framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in cut(body, sizes)) + b"0\r\n\r\n"
    engine.say(*cut(head + framed, where))
    engine.pause_s = pause_s
    for reply in await asked(gateway, 2):
        same(reply, head + framed)


@pytest.mark.parametrize("name", STREAMS)
async def test_each_event_is_there_before_the_next_is_sent(gateway: Gateway, engine: Replay, name: str) -> None:
    """The engine sends one only when the client has said, on the side, that it has got the one before."""
    head, framed = parts(ANSWERS[name])
    events = chunks(framed)
    engine.say(head, *(b"%x\r\n%b\r\n" % (len(event), event) for event in events), b"0\r\n\r\n")
    engine.gates = {number: asyncio.Event() for number in range(1, len(events) + 2)}
    async with gateway.connect() as client:
        client.send("POST", "/v1/chat/completions", b"{}", {"x-user-id": "u"})
        assert (await client.head()).status == 200
        for number, event in enumerate(events, 1):
            engine.gates[number].set()
            assert await client.chunk() == event
        engine.gates[len(events) + 1].set()
        assert await client.chunk() == b""
