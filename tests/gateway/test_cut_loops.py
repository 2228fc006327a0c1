"""Endless loops are ended in mid-stream, where an experiment says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.lab.client import Reply
from gateway.lab.process import Gateway
from gateway.lab.replay import Replay, replay
from quantdeck_core.protocol.gateway import ExperimentRoute
from quantdeck_gateway.limits import MIB
from quantdeck_gateway.loops import LoopWatch
from support.texts import ENGLISH
from support.waiting import eventually

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LOOP = " and then the lamp is lit again,"
TURNS = 2_000


def chat(piece: str, index: int = 0) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": piece}, "logprobs": None, "finish_reason": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 17, "model": "m", "choices": [choice]}


def thought(piece: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"reasoning_content": piece}, "finish_reason": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 17, "model": "m", "choices": [choice]}


def completion(piece: str) -> dict[str, Any]:
    choice = {"index": 0, "text": piece, "logprobs": None, "finish_reason": None}
    return {"id": "cmpl-1", "object": "text_completion", "created": 17, "model": "m", "choices": [choice]}


def events(make: Any, pieces: Iterator[str] | list[str]) -> list[bytes]:
    return [b"data: " + json.dumps(make(piece)).encode() + b"\n\n" for piece in pieces]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endless(make: Any, turns: int = TURNS) -> list[bytes]:
    """A good beginning and a loop, word by word."""
    return events(make, (ENGLISH + LOOP * turns).replace(" ", "\0 ").split("\0"))


@pytest.fixture
async def engine(gateway: Gateway) -> AsyncIterator[Replay]:
    async with replay() as one:
        await gateway.serve(cutting(one))
        yield one
        await gateway.serve()


def cutting(engine: Replay) -> ExperimentRoute:
    return msgspec.structs.replace(engine.route("cutting"), cut_loops=True)


async def asked(gateway: Gateway, version: str = "1.1") -> Reply:
    async with gateway.connect() as client:
        if version == "1.1":
            return await client.ask("POST", "/v1/chat/completions", b"{}", {"x-user-id": "u"})
        client.writer.write(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        reply = await client.head()
        reply.body = await client.reader.read()
        return reply


def read(body: bytes) -> list[dict[str, Any]]:
    """The events, each of which must be JSON, and `[DONE]` after the last."""
    assert body.endswith(b"\n\n")
    *parts, last, rest = body.split(b"\n\n")
    assert (last, rest) == (b"data: [DONE]", b"")
    assert all(part.startswith(b"data: ") for part in parts)
    return [json.loads(part[6:]) for part in parts]


@pytest.mark.parametrize("make", [chat, completion, thought])
@pytest.mark.parametrize("pause_s", [0.0, 0.0002])
async def test_a_loop_is_ended(gateway: Gateway, engine: Replay, make: Any, pause_s: float) -> None:
    pieces = [HEAD, *map(chunk, endless(make))]
    engine.say(*pieces, chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")
    engine.pause_s = pause_s
    feed = await gateway.listen()
    reply = await asked(gateway)
    assert (reply.status, reply.whole) == (200, True)
    *before, last = read(reply.body)
    said, sent = len(before), endless(make)
    assert before == [json.loads(one[6:]) for one in sent[:said]]
    assert said < len(sent) / 2
    as_before = make("")
    assert {name: last[name] for name in as_before if name != "choices"} == {
        name: value for name, value in as_before.items() if name != "choices"
    }
    (choice,) = last["choices"]
    assert choice == {
        "index": 0,
        "logprobs": None,
        "finish_reason": "repetition",
        **({"text": ""} if make is completion else {"delta": {}}),
    }
    one = await feed.next("cutting")
    assert (one.complete, one.status, one.repetition, one.loop != "", one.cut) == (True, 200, True, True, True)
    assert (one.finish_reason, one.truncated) == ("repetition", False)
    await feed.close()
    await eventually(lambda: not engine._tasks, what="the engine's connection is closed")
    assert engine.written < sum(map(len, pieces))
    metrics = (await gateway.ask("GET", "/metrics")).body.decode()
    counted = 'quantdeck_gateway_loops_cut_total{experiment="cutting",variant="control"} '
    assert int(metrics.split(counted)[1].split("\n")[0]) >= 1
    control, _ = await gateway.arms("cutting")
    assert (control.errors, control.cancelled, control.in_flight) == (0, 0, 0)
    assert control.replicas[0].failures == 0


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
async def test_a_loop_is_ended_between_two_events_however_they_are_cut(
    gateway: Gateway, engine: Replay, size: int
) -> None:
    body = b"".join(endless(chat, 400))
    engine.say(HEAD, *(chunk(body[at : at + size]) for at in range(0, len(body), size)), b"0\r\n\r\n")
    engine.gates = {len(engine.pieces) - 1: asyncio.Event()}  # an end that came in the same read would be its end
    reply = await asked(gateway)
    assert reply.whole
    assert read(reply.body)[-1]["choices"][0]["finish_reason"] == "repetition"


async def test_http_1_0(gateway: Gateway, engine: Replay) -> None:
    engine.say(HEAD, *map(chunk, endless(chat)))
    assert read((await asked(gateway, "1.0")).body)[-1]["choices"][0]["finish_reason"] == "repetition"


async def test_an_answer_that_is_none_passes(gateway: Gateway, engine: Replay) -> None:
    good = events(chat, [*ENGLISH.split(" "), "\n" * 200])
    engine.say(HEAD, *map(chunk, good), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")
    assert (await asked(gateway)).body == b"".join(good) + b"data: [DONE]\n\n"


async def test_a_loop_that_ends_by_itself_in_the_same_read(gateway: Gateway, engine: Replay) -> None:
    body = b"".join(events(chat, [ENGLISH, LOOP * 120])) + b"data: [DONE]\n\n"
    engine.say(HEAD + chunk(body) + b"0\r\n\r\n")
    reply = await asked(gateway)
    assert (reply.body, reply.whole) == (body, True)


async def test_the_connection_goes_on_after_it(gateway: Gateway, engine: Replay) -> None:
    engine.say(HEAD, *map(chunk, endless(chat)))
    async with gateway.connect() as client:
        for _ in range(3):
            reply = await client.ask("POST", "/v1/chat/completions", b"{}", {"x-user-id": "u"})
            assert read(reply.body)[-1]["choices"][0]["finish_reason"] == "repetition"


async def test_off_by_default(gateway: Gateway) -> None:
    async with replay() as engine:
        await gateway.serve(engine.route("not cutting"))
        body = b"".join(endless(chat, 200)) + b"data: [DONE]\n\n"
        engine.say(HEAD, chunk(body[:5000]), chunk(body[5000:]), b"0\r\n\r\n")
        assert (await asked(gateway)).body == body
        await gateway.serve()


async def test_the_access_log_says_so(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, "--access-log", str(tmp_path / "access.log"))
    async with replay() as engine:
        await gateway.serve(cutting(engine))
        engine.say(HEAD, *map(chunk, endless(chat)))
        await asked(gateway)
        assert await asyncio.to_thread(gateway.end) == 0
    (line,) = (tmp_path / "access.log").read_text().splitlines()
    assert (json.loads(line)["end"], json.loads(line)["code"]) == ("done", "repetition")


def test_an_answer_that_has_its_finish_reason_is_left_alone() -> None:
    last = chat("")
    last["choices"][0]["finish_reason"] = "length"
    watch, before = LoopWatch(), events(chat, [ENGLISH, LOOP * 120])
    assert watch.feed(b"".join(before))
    assert not watch.feed(b"data: " + json.dumps(last).encode() + b"\n\n")


def test_several_choices_are_left_alone() -> None:
    watch = LoopWatch()
    watch.feed(events(lambda piece: chat(piece, 1), ["other"])[0])
    assert not watch.feed(b"".join(endless(chat)))


def test_events_without_an_end_do_not_pile_up() -> None:
    watch = LoopWatch()
    for _ in range(20):
        watch.feed(b"x" * (MIB // 8))
    assert not watch.feed(b"\n\n" + b"".join(endless(chat)))


def test_what_is_no_event_is_passed_over() -> None:
    watch = LoopWatch()
    body = b"".join(one + b": ping\n\ndata: {\n\n" for one in endless(chat))
    found = [watch.feed(body[at : at + 997]) or watch.may_end for at in range(0, len(body), 997)]
    assert any(found)
