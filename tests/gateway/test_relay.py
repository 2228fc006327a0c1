"""The short way of events: what goes over it, what leaves it, and that nothing overtakes anything."""

from __future__ import annotations

import asyncio
import gc
import random
import select
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.lab.client import Connection
from gateway.lab.inside import inside
from gateway.lab.replay import Replay, replay
from quantdeck_core.protocol.gateway import ArmCounters
from quantdeck_gateway import relay
from quantdeck_gateway.limits import Deadlines
from quantdeck_gateway.relay import Pump, Relay
from quantdeck_gateway.serving import Serving
from support.waiting import eventually

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
SILENCE_S = 2


def event(text: str) -> bytes:
    return b"data: %b\n\n" % text.encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Stage:
    """A gateway in this process, so that its inside can be seen, between an engine and a client."""

    serving: Serving
    engine: Replay
    client: Connection

    def ask(self) -> None:
        self.client.send("POST", "/v1/completions", b"{}", {"x-user-id": "u"})

    async def joined(self) -> None:
        await eventually(lambda: any(one.joined for one in relays()), what="the events go the short way")

    def counters(self) -> ArmCounters:
        return self.serving.report().routes[0].control


def relays() -> list[Relay]:
    return [one for one in gc.get_objects() if isinstance(one, Relay)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with replay() as engine:
        route, deadlines = engine.route("e"), Deadlines(between_events=SILENCE_S)
        async with inside(route, deadlines) as (serving, client):
            yield Stage(serving, engine, client)


async def begun(stage: Stage, *rest: bytes, close: bool = False) -> asyncio.Event:
    """A stream that has had its first event and goes the short way; the rest comes when the event is set."""
    stage.engine.say(HEAD + chunk(event("first")), *rest, close=close)
    stage.engine.gates = {1: asyncio.Event()}
    stage.ask()
    assert (await stage.client.head()).status == 200
    assert await stage.client.chunk() == event("first")
    await stage.joined()
    return stage.engine.gates[1]


async def rest(stage: Stage) -> bytes:
    """What is left of the answer; an event that came in pieces may have been framed anew."""
    found = b""
    while data := await stage.client.chunk():
        found += data
    return found


async def test_the_second_event_goes_the_short_way_and_the_end_does_not(stage: Stage) -> None:
    go_on = await begun(stage, chunk(event("second")), chunk(event("third")), END)
    stage.engine.pause_s = 0.02
    go_on.set()
    assert [await stage.client.chunk() for _ in range(3)] == [event("second"), event("third"), b""]
    await eventually(lambda: not relays(), what="the relay is freed")
    assert sum(stage.counters().itl.counts) == 2


async def test_events_of_any_size_cut_anywhere_stay_in_order(stage: Stage) -> None:
    dice = random.Random(7)
    sent = [event("x" * dice.choice([1, 20, 460, 479, 500, 5_000, 70_000, 140_000])) for _ in range(60)]
    framed = b"".join(map(chunk, sent)) + END
    pieces = []
    while framed:
        size = dice.choice([1, 10, 470, 479, 480, 4_000, 65_536, 200_000])
        pieces.append(framed[:size])
        framed = framed[size:]
    go_on = await begun(stage, *pieces)
    go_on.set()
    assert await rest(stage) == b"".join(sent)


async def test_an_engine_that_does_not_stop_for_breath(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """More at once than is read in one turn: the loop takes over, and nothing is forgotten."""
    monkeypatch.setattr(relay, "_MOST_READS", 1)
    sent = [event("x" * 200_000) for _ in range(50)]
    go_on = await begun(stage, *map(chunk, sent), END)
    go_on.set()
    assert await rest(stage) == b"".join(sent)


async def test_a_client_that_reads_late_gets_all_of_it_in_order(stage: Stage) -> None:
    """First its socket's buffer is full, then the transport's, then the engine has to wait."""
    sent = [event(f"{number} " + "x" * 40_000) for number in range(400)]
    go_on = await begun(stage, *map(chunk, sent), END)
    go_on.set()
    left = [0, 0]

    def engine_waits() -> bool:
        left[:] = left[1], stage.engine.written
        return left[0] == left[1] > len(sent[0])

    await eventually(engine_waits, what="the engine cannot write on")
    assert stage.engine.written < 16_000_000
    assert await rest(stage) == b"".join(sent)


async def test_after_a_wait_events_go_the_short_way_again(stage: Stage) -> None:
    go_on = await begun(stage, *[chunk(event("x" * 40_000))] * 400, chunk(event("small")), END)
    stage.engine.gates[402] = asyncio.Event()
    go_on.set()
    await eventually(lambda: not any(one.joined for one in relays()), what="the engine has to wait")
    got = b""
    while not got.endswith(chunk(event("small"))):
        got = got[-100:] + await stage.client.reader.read(1 << 16)
    await stage.joined()
    stage.engine.gates[402].set()
    assert await rest(stage) == b""


async def test_an_engine_that_breaks_off(stage: Stage) -> None:
    go_on = await begun(stage, chunk(event("second")), close=True)
    go_on.set()
    assert await stage.client.chunk() == event("second")
    assert b"engine_broke_off" in await stage.client.chunk()
    assert await stage.client.reader.read() == b"", "without the last chunk"
    assert (stage.counters().in_flight, stage.counters().errors) == (0, 1)


async def test_what_is_no_chunk_breaks_it_off(stage: Stage) -> None:
    go_on = await begun(stage, *[b"no chunk at all\n\n\r\n"] * 64)
    stage.engine.pause_s = 0.005
    go_on.set()
    got = await stage.client.reader.read()
    assert b"not HTTP" in got
    assert not got.endswith(END)


async def test_a_client_that_leaves_ends_it(stage: Stage) -> None:
    await begun(stage, END)
    await stage.client.close()
    await eventually(lambda: not relays() and not stage.counters().in_flight, what="the exchange has ended")
    assert stage.counters().cancelled == 1


async def test_silence_ends_it_and_events_do_not(stage: Stage) -> None:
    """Those of the short way are noticed although nobody hears of each."""
    count = 10 * SILENCE_S
    go_on = await begun(stage, *(chunk(event(str(number))) for number in range(count)), END)
    stage.engine.pause_s = 0.15
    stage.engine.gates[count + 1] = asyncio.Event()
    go_on.set()
    assert [await stage.client.chunk() for _ in range(count)] == [event(str(number)) for number in range(count)]
    assert b"engine_timeout" in await stage.client.chunk()


async def test_a_defect_costs_its_own_stream_and_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(relay: Relay, source: int, what: int, now: float) -> None:
        raise ZeroDivisionError

    go_on = await begun(stage, chunk(event("second")))
    monkeypatch.setattr(Relay, "ready", defect)
    go_on.set()
    assert b"engine_broke_off" in await stage.client.chunk()


class _LongWay:
    """The least of an upstream connection: what the relay does not pass, it writes to the client's transport."""

    may_pass = True

    def __init__(self, transport: asyncio.Transport, client: asyncio.Transport) -> None:
        self.transport, self._client = transport, client
        self.relay: Relay | None = None

    def data_received(self, data: bytes) -> None:
        self._client.write(data)


async def test_an_event_does_not_overtake_what_waits_for_the_client() -> None:
    """Its socket has room again, and the loop does not know yet."""
    loop = asyncio.get_running_loop()
    pump = Pump(loop)
    gateway_up, engine = socket.socketpair()
    gateway_down, client = socket.socketpair()
    engine.setblocking(False)
    client.setblocking(False)
    up, _ = await loop.create_connection(asyncio.Protocol, sock=gateway_up)
    down, _ = await loop.create_connection(asyncio.Protocol, sock=gateway_down)
    upstream = _LongWay(up, down)
    upstream.relay = one = Relay(pump, upstream, down, [0] * 17, 0.0)  # type: ignore[arg-type]
    one.join_soon()
    await eventually(lambda: one.joined)

    sent = b""
    while not down.get_write_buffer_size():
        sent += (part := b"begun, and not ended " * 1_000)
        engine.send(part)
        one.ready(gateway_up.fileno(), select.EPOLLIN, 0.0)
    got = client.recv(1 << 16)
    engine.send(chunk(event("next")))
    one.ready(gateway_up.fileno(), select.EPOLLIN, 0.0)  # before the loop has written what waits
    sent += chunk(event("next"))
    while len(got) < len(sent):
        got += await loop.sock_recv(client, 1 << 16)
    assert got == sent
    one.leave()
    for transport in (up, down):
        transport.close()
    for end in (engine, client):
        end.close()
    pump.close()
