"""Rows 37, 38 and 40: what is no clean HTTP is refused, its connection ends, and what follows is never a request."""

from __future__ import annotations

import asyncio

import pytest

from gateway.lab.process import Experiment, Gateway

POST = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\n"
BODY = b'Content-Length: 12\r\n\r\n{"user":"u"}'
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = b"POST /v1/completions HTTP/1.1\r\nHost: hidden\r\n" + BODY
"""Follows each bad request: who takes it for a request lets one client speak in another's name."""
EMPTY_CHUNKED = b"2\r\n{}\r\n0\r\n\r\n"

FRAMING = {
    "length and chunked": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "length and identity": POST + b"Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths that differ": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "length with underscore": POST + b"Content-Length: 1_2\r\n\r\n{}",
    "two numbers as length": POST + b"Content-Length: 2 3\r\n\r\n{}",
    "no number as length": POST + b"Content-Length: \r\n\r\n{}",
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "coding beside chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + EMPTY_CHUNKED,
    "coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + EMPTY_CHUNKED,
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + EMPTY_CHUNKED,
    "chunked behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + EMPTY_CHUNKED,
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + EMPTY_CHUNKED,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + EMPTY_CHUNKED,
    "space after coding": POST + b"Transfer-Encoding : chunked\r\n\r\n" + EMPTY_CHUNKED,
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + EMPTY_CHUNKED,
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + EMPTY_CHUNKED,
    "chunk size in C's notation": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "signed chunk size": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk size with underscore": CHUNKED + b"1_0\r\n{}\r\n0\r\n\r\n",
    "chunk size with space": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "chunk size that is none": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "empty chunk size": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "chunks ended by line feeds": CHUNKED + b"2\n{}\n0\n\n",
    "chunk longer than its size": CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n",
    "line feed in chunk extension": CHUNKED + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "carriage return in chunk extension": CHUNKED + b"2;a\rb\r\n{}\r\n0\r\n\r\n",
}

HEADER = {
    "bare line feeds": b"POST /v1/completions HTTP/1.1\nHost: h\n\n",
    "line feed in a field": POST + b"X: a\nY: b\r\n" + BODY,
    "carriage return in a field": POST + b"X: a\rY: b\r\n" + BODY,
    "folded field": POST + b"X: a\r\n b\r\n" + BODY,
    "space before the first field": b"POST /v1/completions HTTP/1.1\r\n Host: h\r\n" + BODY,
    "space before colon": POST + b"X : a\r\n" + BODY,
    "zero byte in value": POST + b"X: a\x00b\r\n" + BODY,
    "zero byte in name": POST + b"X\x00: a\r\n" + BODY,
    "control character": POST + b"X: a\x01b\r\n" + BODY,
    "no name": POST + b": a\r\n" + BODY,
    "no colon": POST + b"Xa\r\n" + BODY,
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "space in host": b"GET /health HTTP/1.1\r\nHost: a b\r\n\r\n",
    "user in host": b"GET /health HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "path in host": b"GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "letters as port": b"GET /health HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "tunnel": b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 in words": b"GET /health HTTP/2.0\r\nHost: h\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/0.9 in words": b"GET /health HTTP/0.9\r\nHost: h\r\n\r\n",
    "small letters": b"get /health HTTP/1.1\r\nHost: h\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
}

NOT_UTF8 = {
    "path": b"POST /v1/\xff HTTP/1.1\r\nHost: h\r\n" + BODY,
    "query": b"POST /v1/completions?\xff HTTP/1.1\r\nHost: h\r\n" + BODY,
    "name of a field": POST + b"X\xff: a\r\n" + BODY,
    "field that is passed on": POST + b"X: \xff\r\n" + BODY,
    "key": POST + b"Authorization: Bearer \xff\r\n" + BODY,
    "request id": POST + b"X-Request-Id: \xff\r\n" + BODY,
    "host": b"POST /v1/completions HTTP/1.1\r\nHost: \xff\r\n" + BODY,
    "user": POST + b"x-user-id: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
}

OTHER = {
    "compressed": (POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    "compressed twice": (POST + b"Content-Encoding: identity, br\r\nContent-Length: 2\r\n\r\n{}", 415),
    "expectation": (POST + b"Expect: a-pony\r\nContent-Length: 2\r\n\r\n", 417),
    "one long field": (POST + b"X: " + b"a" * 400_000, 431),
    "many fields": (POST + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3_000 + b"\r\n", 431),
    "long path": (b"POST /" + b"a" * 400_000, 431),
    "long chunk extension": (CHUNKED + b"2;" + b"a" * 700_000 + b"\r\n{}\r\n0\r\n\r\n", 400),
    "long trailer": (CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 25_000 + b"\r\n", 400),
}

CASES = {name: (data, 400) for table in (FRAMING, HEADER, NOT_UTF8) for name, data in table.items()} | OTHER


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    """Everybody is on the control."""
    await gateway.serve(experiment.route())
    return experiment


@pytest.mark.parametrize("case", CASES)
async def test_refused_and_closed(gateway: Gateway, served: Experiment, case: str) -> None:
    data, status = CASES[case]
    async with gateway.connect() as client:
        client.writer.write(data + HIDDEN)
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (status, "close")
        assert reply.error
        assert await client.reader.read() == b""
    assert served.control.seen == []


@pytest.mark.parametrize("case", [*FRAMING, *HEADER])
async def test_refused_also_when_it_comes_byte_by_byte(gateway: Gateway, served: Experiment, case: str) -> None:
    async with gateway.connect() as client:
        for byte in CASES[case][0]:
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        client.writer.write(HIDDEN)
        assert (await client.reply()).status == 400
        assert await client.reader.read() == b""
    assert served.control.seen == []


@pytest.mark.parametrize("case", [*FRAMING, *HEADER, *NOT_UTF8])
async def test_a_good_request_before_a_bad_one_is_answered(gateway: Gateway, served: Experiment, case: str) -> None:
    async with gateway.connect() as client:
        client.writer.write(POST + BODY + CASES[case][0] + HIDDEN)
        assert (await client.reply()).status == 200
        rest = await client.reader.read()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert len(served.control.seen) == 1


@pytest.mark.parametrize("offers", [1, 3, 5_000])
async def test_an_offered_upgrade_is_declined(gateway: Gateway, served: Experiment, offers: int) -> None:
    """What follows is HTTP/1.1 as before, and the offer stays here."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with gateway.connect() as client:
        client.writer.write(POST + upgrade + BODY)
        client.writer.write(POST + upgrade + b'Transfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n7\r\nx":[1]}\r\n0\r\n\r\n')
        client.writer.write((b"GET /health HTTP/1.1\r\nHost: h\r\n" + upgrade + b"\r\n") * offers + POST + BODY)
        for _ in range(2):
            assert (await client.reply()).body == served.control.body("fine")
        for _ in range(offers):
            assert (await client.reply()).body == b'{"status":"ok"}'
        assert (await client.reply()).body == served.control.body("fine")
    assert [body for _, body in served.control.seen] == [b'{"user":"u"}', b'{"x":[1]}', b'{"user":"u"}']
    assert "upgrade" not in served.control.seen[0][0].lower()
    assert "http2-settings" not in served.control.seen[0][0].lower()


@pytest.mark.parametrize("pieces", [1, 2])
async def test_the_body_after_an_offer_is_no_request(gateway: Gateway, served: Experiment, pieces: int) -> None:
    """What a proxy in front takes for a body must be one here too."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    async with gateway.connect() as client:
        client.writer.write(POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(HIDDEN))
        if pieces == 2:
            await asyncio.sleep(0.05)
        client.writer.write(HIDDEN + b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.reply()).error == "invalid_json"
        assert (await client.reply()).body == b'{"status":"ok"}'
    assert served.control.seen == []


@pytest.mark.parametrize("case", ["space in host", "two hosts", "coding beside chunked", "HTTP/2 in words"])
async def test_bad_request_after_an_offer(gateway: Gateway, served: Experiment, case: str) -> None:
    offer = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + BODY
    async with gateway.connect() as client:
        client.writer.write(offer + CASES[case][0] + HIDDEN)
        assert (await client.reply()).status == 200
        rest = await client.reader.read()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert len(served.control.seen) == 1


async def test_a_large_body_and_half_a_header_in_one_read(gateway: Gateway, served: Experiment) -> None:
    body = b'{"user":"u","text":"%b"}' % (b"x" * 150_000)
    async with gateway.connect() as client:
        first = POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        client.writer.write(first + POST)
        assert (await client.reply()).status == 200
        client.writer.write(BODY)
        assert (await client.reply()).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 20_000, b'{"user": ' + b"[" * 20_000])
async def test_body_that_must_name_the_user_but_is_no_object(gateway: Gateway, served: Experiment, body: bytes) -> None:
    reply = await gateway.ask("POST", "/v1/completions", body)
    assert (reply.status, reply.error) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b'{"user":"\xff"}', b'{"user":"\\ud800"}'])
async def test_body_whose_user_is_not_utf8(gateway: Gateway, served: Experiment, body: bytes) -> None:
    reply = await gateway.ask("POST", "/v1/completions", body)
    assert reply.status == 400
    assert served.control.seen == []


@pytest.mark.parametrize("name", ["u-ü", "用户", "🙂"])
async def test_users_may_be_named_in_any_language(gateway: Gateway, served: Experiment, name: str) -> None:
    assert (await gateway.chat(user=name)).status == 200
    assert f"x-user-id: {name}\r\n" in served.control.seen[0][0]
