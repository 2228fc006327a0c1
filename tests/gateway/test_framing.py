"""What is refused before an engine hears of it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.lab.process import Experiment, Gateway

POST = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\n"

BAD = {
    "length and chunked": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "signed length": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "bad chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "bare line feeds": (b"POST /v1/completions HTTP/1.1\nHost: h\n\n", 400),
    "folded field": (POST + b"X: a\r\n b\r\n\r\n", 400),
    "space before colon": (POST + b"X : a\r\n\r\n", 400),
    "zero byte": (POST + b"X: a\x00b\r\n\r\n", 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "upgrade": (b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    "compressed": (POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    "expectation": (POST + b"Expect: a-pony\r\nContent-Length: 2\r\n\r\n", 417),
    "length beyond the limit": (POST + b"Content-Length: 16777217\r\n\r\n", 413),
    "one long field": (POST + b"X: " + b"a" * 70_000, 431),
    "many fields": (POST + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3_000 + b"\r\n", 431),
}


@pytest.mark.parametrize("case", BAD)
async def test_refused_and_closed(gateway: Gateway, case: str) -> None:
    data, status = BAD[case]
    async with gateway.connect() as client:
        client.writer.write(data)
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (status, "close")
        assert reply.error
        assert await client.reader.read() == b""


async def test_chunked_body_beyond_the_limit(gateway: Gateway) -> None:
    async with gateway.connect() as client:
        client.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(17):
            client.writer.write(piece)
        assert (await asyncio.wait_for(client.reply(), 10)).status == 413


async def test_a_good_request_before_a_bad_one_is_answered(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    async with gateway.connect() as client:
        client.writer.write(POST + b'Content-Length: 12\r\n\r\n{"user":"u"}' + b"nonsense\r\n\r\n")
        assert (await client.reply()).status == 200
        assert await client.reader.read() == b""


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 20_000, b'{"user": ' + b"[" * 20_000])
async def test_body_that_must_name_the_user_but_is_no_object(
    gateway: Gateway, experiment: Experiment, body: bytes
) -> None:
    await gateway.serve(experiment.route())
    reply = await gateway.ask("POST", "/v1/completions", body)
    assert (reply.status, reply.error) == (400, "invalid_json")


async def test_user_that_is_not_utf8(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    async with gateway.connect() as client:
        client.writer.write(POST + b"x-user-id: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}")
        reply = await client.reply()
    assert (reply.status, reply.error) == (400, "bad_user")
