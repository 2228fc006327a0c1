"""Requests and answers through a real gateway, in the good case."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    """Everybody is on the control."""
    await gateway.serve(experiment.route())
    return experiment


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_answer_is_the_engines_byte_for_byte(gateway: Gateway, served: Experiment, path: str) -> None:
    body = json.dumps({"text": "größer", "unknown": {"field": 1}}).encode()
    reply = await gateway.ask("POST", path, body, {"x-user-id": "u", "x-request-id": "mine", "X-Other": "kept"})
    assert (reply.status, reply.body) == (200, served.control.body("größer"))
    assert reply.variant == "control"
    assert reply.headers["x-request-id"] == "mine"
    assert reply.headers["x-engine"] == "here"
    assert "keep-alive" not in reply.headers
    ((head, sent),) = served.control.seen
    assert sent == body
    assert head.startswith(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{served.control.port}\r\n")
    assert "X-Other: kept\r\n" in head
    assert "x-request-id: mine\r\n" in head


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_stream_is_the_engines_byte_for_byte(gateway: Gateway, served: Experiment, path: str) -> None:
    reply = await gateway.ask("POST", path, b'{"stream":true,"text":"a b c"}', {"x-user-id": "u"})
    assert reply.whole
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.body == b"".join(served.control.events("a b c"))


async def test_stream_is_not_buffered(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        client.send("POST", "/v1/chat/completions", b'{"stream":true,"act":"hold"}', {"x-user-id": "u"})
        await client.head()
        assert await client.chunk() == served.control.events("fine")[0]  # the engine holds the second one back
        served.control.release.set()
        rest = b""
        while data := await client.chunk():
            rest += data
        assert rest == b"".join(served.control.events("fine")[1:])


async def test_hop_by_hop_fields_stay_here(gateway: Gateway, served: Experiment) -> None:
    named = {"Connection": "x-private, keep-alive", "X-Private": "1", "TE": "trailers", "Accept-Encoding": "gzip"}
    await gateway.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u", **named})
    head = served.control.seen[0][0].lower()
    for name in ("connection", "x-private", "te", "accept-encoding"):
        assert f"\r\n{name}:" not in head


async def test_chunked_request_gets_a_length(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        client.writer.write(
            b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'b\r\n{"user":"u"\r\n1\r\n}\r\n0\r\nx-trailer: 1\r\n\r\n'
        )
        assert (await client.reply()).status == 200
    head, body = served.control.seen[0]
    assert body == b'{"user":"u"}'
    assert "content-length: 12\r\n" in head
    assert "x-trailer" not in head


async def test_answer_without_a_length(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.chat(act="until-close")
    assert (reply.whole, reply.body) == (True, served.control.body("fine"))


async def test_http_10_client(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        body = b'{"stream":true,"user":"u"}'
        client.writer.write(b"POST /v1/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        reply = await client.reply()
    assert "transfer-encoding" not in reply.headers
    assert reply.body == b"".join(served.control.events("fine"))


async def test_pipelined_requests_are_answered_in_order(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        for number in range(20):
            client.send("POST", "/v1/completions", json.dumps({"text": str(number)}).encode(), {"x-user-id": "u"})
        bodies = [(await client.reply()).body for _ in range(20)]
    assert bodies == [served.control.body(str(number)) for number in range(20)]


async def test_expect_continue(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        head = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n"
        client.writer.write(head)
        assert (await client.head()).status == 100
        client.writer.write(b'{"user":"u"}')
        assert (await client.reply()).status == 200
    assert "expect" not in served.control.seen[0][0].lower()


async def test_a_request_without_an_id_gets_one_of_its_own(gateway: Gateway, served: Experiment) -> None:
    given = [(await gateway.chat()).headers["x-request-id"] for _ in range(3)]
    assert len({uuid.UUID(one) for one in given}) == 3
    for (head, _), one in zip(served.control.seen, given, strict=True):
        assert f"x-request-id: {one}\r\n" in head


async def test_connections_to_the_engine_are_reused(gateway: Gateway, served: Experiment) -> None:
    for _ in range(20):
        await gateway.chat()
    assert served.control.connections == 1


async def test_large_bodies_both_ways(gateway: Gateway, served: Experiment) -> None:
    text = "x" * 4_000_000
    reply = await gateway.chat(text=text)
    assert reply.body == served.control.body(text)


async def test_key_of_the_engine_replaces_the_clients(gateway: Gateway, experiment: Experiment) -> None:
    route = experiment.route()
    control = type(route.control)(
        replicas=(type(route.control.replicas[0])(name="c", url=experiment.control.url, api_key="sk-1"),)
    )
    await gateway.serve(type(route)(name=route.name, served_name="m", control=control, treatment=route.treatment))
    await gateway.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u", "Authorization": "Bearer client"})
    head = experiment.control.seen[0][0]
    assert "authorization: Bearer sk-1\r\n" in head
    assert "client" not in head


async def test_own_paths(gateway: Gateway, served: Experiment) -> None:
    assert (await gateway.ask("GET", "/health")).status == 200
    assert (await gateway.ask("GET", "/ready")).status == 200
    async with gateway.connect() as client:
        for path in ("/health", "/ready", "/v1/models", "/metrics"):
            client.send("HEAD", path)
            assert (await client.head()).status == 200  # and no body, or the next head would not be one
    models = json.loads((await gateway.ask("GET", "/v1/models")).body)
    assert [model["id"] for model in models["data"]] == [served.name]
    await gateway.chat()
    text = (await gateway.ask("GET", "/metrics")).body.decode()
    labels = f'experiment="{served.name}",variant="control"'
    assert f'quantdeck_gateway_requests_total{{{labels},code="2xx"}} 1\n' in text
    assert f'quantdeck_gateway_e2e_seconds_bucket{{{labels},le="+Inf"}} 1\n' in text


async def test_ready_needs_a_control_that_accepts(gateway: Gateway, experiment: Experiment, free_port: int) -> None:
    await gateway.serve(experiment.route(control=[Engine("nobody", free_port)]))
    assert (await gateway.ask("GET", "/ready")).status == 503
    await gateway.serve(experiment.route(control=[]))
    assert (await gateway.ask("GET", "/ready")).status == 503


async def test_a_client_that_does_not_read_stops_its_engine_and_nobody_else(
    gateway: Gateway, served: Experiment
) -> None:
    text = "x" * 12_000_000
    async with gateway.connect() as slow:
        slow.send("POST", "/v1/completions", json.dumps({"text": text}).encode(), {"x-user-id": "u"})
        await gateway.until_counters(served.name, lambda counters: counters.in_flight == 1)
        others = await asyncio.gather(*(gateway.chat() for _ in range(20)))
        assert {reply.status for reply in others} == {200}
        reply = await slow.reply()
    assert reply.body == served.control.body(text)
