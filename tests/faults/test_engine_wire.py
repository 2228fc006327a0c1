"""Engines that speak HTTP badly, or in ways that are rarely seen: a right answer or a clean 502, and never a
connection on which the next answer is another request's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.lab.client import Reply
from gateway.lab.process import Gateway, rss_mib
from gateway.lab.replay import Replay, replay

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SIZED = OK + b"content-length: 2\r\n\r\n{}"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
SECRET = OK + b'content-length: 8\r\n\r\n"secret"'

RIGHT = {
    "interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED, 200, b"{}"),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + SIZED, 200, b"{}"),
    "chunks with extensions": (CHUNKED + b"2;a=b\r\n{}\r\n0;c\r\n\r\n", 200, b"{}"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nx-sum: 1\r\n\r\n", 200, b"{}"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "empty": (OK + b"content-length: 0\r\n\r\n", 200, b""),
    "empty chunked": (CHUNKED + b"0\r\n\r\n", 200, b""),
    "status without a name": (b"HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\n{}", 299, b"{}"),
    "error": (b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}", 429, b"{}"),
    "connection is not kept": (OK + b"connection: close\r\ncontent-length: 2\r\n\r\n{}", 200, b"{}"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, b"{}"),
}

UNTIL_CLOSE = {
    "no length": (OK + b"\r\n{}", b"{}"),
    "no length though it says keep-alive": (OK + b"connection: keep-alive\r\n\r\n{}", b"{}"),
    "HTTP/1.0 without a length": (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
    "nothing at all": (OK + b"\r\n", b""),
}

WRONG = {
    "both framings": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "length that is none": OK + b"content-length: +2\r\n\r\n{}",
    "folded field": OK + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
    "zero byte": OK + b"x: a\x00\r\ncontent-length: 2\r\n\r\n{}",
    "line feed in a field": OK + b"x: a\ny: b\r\ncontent-length: 2\r\n\r\n{}",
    "switches protocols": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    "status beyond all": b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}",
    "status 600": b"HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\n{}",
    "status 000": b"HTTP/1.1 000 Odd\r\ncontent-length: 2\r\n\r\n{}",
    "status of two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}",
    "HTTP/2": b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "field that is too long": OK + b"x: " + b"a" * 400_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "too many fields": OK + b"x: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 20_000 + b"content-length: 2\r\n\r\n{}",
}


@pytest.fixture
async def engine(gateway: Gateway) -> AsyncIterator[Replay]:
    """The only engine of an experiment."""
    async with replay() as one:
        await gateway.serve(one.route("wire"))
        yield one
        await gateway.serve()


async def ask(gateway: Gateway) -> Reply:
    """One request, and after it another one on the same connection if that is still open."""
    async with gateway.connect() as client:
        reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        if reply.whole and reply.headers.get("connection") != "close":
            assert (await client.ask("GET", "/health")).body == b'{"status":"ok"}'
        return reply


@pytest.mark.parametrize("case", RIGHT)
@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "byte by byte"])
async def test_right_answer(gateway: Gateway, engine: Replay, case: str, piecewise: bool) -> None:
    data, status, body = RIGHT[case]
    engine.say(*(bytes([byte]) for byte in data) if piecewise else [data])
    for _ in range(3):
        reply = await ask(gateway)
        assert (reply.status, reply.body, reply.whole) == (status, body, True)
    assert len(engine.seen) == 3


@pytest.mark.parametrize("case", UNTIL_CLOSE)
async def test_answer_that_ends_with_its_connection(gateway: Gateway, engine: Replay, case: str) -> None:
    data, body = UNTIL_CLOSE[case]
    engine.say(data, close=True)
    reply = await ask(gateway)
    assert (reply.status, reply.body, reply.whole) == (200, body, True)


async def test_no_content_says_nothing_of_a_length(gateway: Gateway, engine: Replay) -> None:
    engine.say(b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n")
    async with gateway.connect() as client:
        client.send("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        head = await client.head()
        assert (head.status, "content-length" in head.headers) == (204, False)
        assert (await client.ask("GET", "/health")).status == 200


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("close", [False, True], ids=["open", "closed"])
async def test_wrong_answer(gateway: Gateway, engine: Replay, case: str, close: bool) -> None:
    engine.say(WRONG[case], close=close)
    reply = await ask(gateway)
    assert (reply.status, reply.error) == (502, "engine_broke_off")
    engine.say(SIZED)
    assert (await ask(gateway)).body == b"{}"


async def test_head_without_end_takes_no_memory(gateway: Gateway, engine: Replay) -> None:
    engine.say(SIZED)
    await ask(gateway)
    before = rss_mib(gateway.process.pid)
    engine.say(OK, *[b"x: " + b"a" * 1_000_000 + b"\r\n"] * 100)
    assert (await ask(gateway)).status == 502
    assert rss_mib(gateway.process.pid) - before < 20
    assert engine.written < 20_000_000


@pytest.mark.parametrize("more", [SECRET, b"junk", b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("together", [True, False])
async def test_what_nobody_asked_for_is_nobodys_answer(
    gateway: Gateway, engine: Replay, more: bytes, together: bool
) -> None:
    engine.say(*([SIZED + more] if together else [SIZED, more]))
    for _ in range(5):
        reply = await ask(gateway)
        assert reply.status in (200, 502)
        assert b"secret" not in reply.body
        assert reply.status == 502 or reply.body == b"{}"


CUT = {
    "length": (OK + b"content-length: 9\r\n\r\n{}", b"{}"),
    "chunk": (CHUNKED + b"2\r\n{}\r\n5\r\nab", b"{}ab"),
    "chunks without their end": (CHUNKED + b"2\r\n{}\r\n", b"{}"),
    "stream": (CHUNKED.replace(b"application/json", b"text/event-stream") + b"3\r\nx\n\n\r\n", b"x\n\n"),
}


@pytest.mark.parametrize("case", CUT)
async def test_cut_answer_is_seen_to_be_cut(gateway: Gateway, engine: Replay, case: str) -> None:
    data, part = CUT[case]
    engine.say(data, close=True)
    async with gateway.connect() as client:
        reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        assert await client.reader.read() == b""
    if reply.status == 200:
        assert not reply.whole
        assert reply.body.startswith(part) or part.startswith(reply.body)
        assert b"[DONE]" not in reply.body
    else:
        assert (reply.status, reply.error) == (502, "engine_broke_off")


async def test_event_that_comes_in_two_reads(gateway: Gateway, engine: Replay) -> None:
    """Its end looks like that of a whole event."""
    event = b'data: {"a":"b"}\n\n'
    stream = CHUNKED.replace(b"application/json", b"text/event-stream")
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    for at in range(1, len(chunk)):
        engine.say(stream, chunk[:at], chunk[at:], chunk, chunk[:at], chunk[at:], b"0\r\n\r\n")
        engine.pause_s = 0.01
        reply = await ask(gateway)
        assert (reply.whole, reply.body) == (True, event * 3), at


async def test_end_of_an_event_within_a_chunk(gateway: Gateway, engine: Replay) -> None:
    """No engine does it, and it is taken for the end of a chunk: then the answer is seen to be cut."""
    stream = CHUNKED.replace(b"application/json", b"text/event-stream")
    inner = b"data: x\n\n\r\n"
    engine.say(stream, b"9\r\ndata: x\n\n\r\n", b"%x\r\n%b" % (len(inner) + 3, inner), b"abc\r\n", b"0\r\n\r\n")
    engine.pause_s = 0.01
    async with gateway.connect() as client:
        client.send("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        assert (await client.head()).status == 200
        rest = await client.reader.read()
    assert rest.startswith(b"9\r\ndata: x\n\n\r\n")
    assert not rest.endswith(b"\r\n0\r\n\r\n")
