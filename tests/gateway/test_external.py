"""Engines that somebody else runs: behind TLS, below a path, with another name for the model."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.lab.certificates import self_signed
from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Replica
from support.waiting import eventually

Engines = Callable[..., Awaitable[Engine]]


def route(experiment: Experiment, *, name: str = "external", **replica: str) -> ExperimentRoute:
    """Everybody goes to one replica."""
    control = Arm(replicas=(Replica(name=name, **replica),))
    return ExperimentRoute(name=experiment.name, served_name=experiment.name, control=control, treatment=Arm())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ssl.SSLContext]]:
    """Of this host, of another one, and of this host by an authority that nobody trusts."""
    folder, strange = tmp_path_factory.mktemp("tls"), tmp_path_factory.mktemp("strange")
    return {
        "good": self_signed(folder, "localhost"),
        "other host": self_signed(folder, "elsewhere.example"),
        "unknown": self_signed(strange, "localhost"),
    }


@pytest.fixture(scope="module")
def trusting(
    tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, tuple[Path, ssl.SSLContext]]
) -> Iterator[Gateway]:
    """A gateway that trusts two of them."""
    folder = tmp_path_factory.mktemp("gw")
    bundle = folder / "authorities.pem"
    bundle.write_bytes(b"".join(certificates[name][0].read_bytes() for name in ("good", "other host")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(bundle))
        gateway = Gateway(folder, "--probe-seconds", "0")
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


async def test_behind_tls_below_a_path(
    trusting: Gateway, certificates: dict[str, tuple[Path, ssl.SSLContext]], experiment: Experiment, engines: Engines
) -> None:
    engine = await engines("external", tls=certificates["good"][1])
    await trusting.serve(route(experiment, url=f"{engine.url}/openai", api_key="k"))
    for _ in range(3):
        reply = await trusting.chat(text="hello")
        assert (reply.status, reply.body) == (200, engine.body("hello"))
    assert engine.connections == 1, "kept open, and no second handshake"
    streamed = await trusting.chat(text="a b c", stream=True)
    assert streamed.body == b"".join(engine.events("a b c"))
    head = engine.seen[0][0].lower()
    assert head.startswith("post /openai/v1/chat/completions ")
    assert f"host: localhost:{engine.port}\r\n" in head
    assert "authorization: bearer k\r\n" in head


@pytest.mark.parametrize(
    ("certificate", "words"), [("unknown", "self-signed certificate"), ("other host", "Hostname mismatch")]
)
async def test_a_certificate_that_cannot_be_trusted(
    trusting: Gateway,
    certificates: dict[str, tuple[Path, ssl.SSLContext]],
    experiment: Experiment,
    engines: Engines,
    certificate: str,
    words: str,
) -> None:
    engine = await engines("external", tls=certificates[certificate][1])
    await trusting.serve(route(experiment, name=certificate, url=engine.url))
    reply = await trusting.chat()
    assert (reply.status, reply.error) == (502, "engine_tls")
    assert b"certificate that cannot be trusted" in reply.body
    assert f"{certificate}: the engine has a certificate that cannot be trusted: {words}" in trusting.log.read_text()
    assert engine.seen == []


async def test_an_engine_without_tls(trusting: Gateway, experiment: Experiment) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        await trusting.serve(route(experiment, url=f"https://127.0.0.1:{port}"))
        reply = await trusting.chat()
    assert (reply.status, reply.error) == (502, "engine_tls")
    assert b"speaks no TLS" in reply.body


async def test_a_host_that_is_not_known(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(route(experiment, url="http://nowhere.invalid:80"))
    reply = await gateway.chat()
    assert (reply.status, reply.error) == (502, "engine_unreachable")
    assert b"host name that is not known" in reply.body


async def test_another_name_for_the_model(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(route(experiment, url=experiment.control.url, model="org/model"))
    reply = await gateway.chat(model="assistant", temperature=0.5, tools=[{"x": 1.0}])
    assert (reply.status, reply.headers["x-quantdeck-rewritten"]) == (200, "model")
    sent = json.loads(experiment.control.seen[0][1])
    assert sent == {"model": "org/model", "temperature": 0.5, "tools": [{"x": 1.0}]}


async def test_a_body_that_cannot_be_rewritten_is_the_clients_mistake(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(route(experiment, url=experiment.control.url, model="org/model"))
    async with gateway.connect() as client:
        for _ in range(2):  # also over a kept connection
            reply = await client.ask("POST", "/v1/chat/completions", b"[1]", {"x-user-id": "u"})
            assert (reply.status, reply.error) == (400, "invalid_json")
        body = json.dumps({"text": "x"}).encode()
        assert (await client.ask("POST", "/v1/chat/completions", body, {"x-user-id": "u"})).status == 200
    counters = (await gateway.arms(experiment.name))[0]
    assert (counters.in_flight, counters.errors, counters.replicas[0].failures) == (0, 0, 0)


async def test_bodies_pass_unchanged_without_another_name(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(route(experiment, url=experiment.control.url))
    body = b'{ "model":"assistant",  "text":"x" }'
    reply = await gateway.ask("POST", "/v1/chat/completions", body, {"x-user-id": "u"})
    assert "x-quantdeck-rewritten" not in reply.headers
    assert experiment.control.seen[0][1] == body


async def test_a_host_that_vanishes_is_noticed(gateway: Gateway, experiment: Experiment) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    address, ended = _own_address(), asyncio.Event()
    async with await asyncio.start_server(answer, address) as server:
        port = server.sockets[0].getsockname()[1]
        await gateway.serve(route(experiment, url=f"http://{address}:{port}"))
        assert (await gateway.chat()).status == 200
        await eventually(
            lambda: _timer(remote_port=port)[0] == 2, what="keepalive; before, what was sent is acknowledged"
        )
        assert _timer(remote_port=port) == (2, pytest.approx(20, abs=10)), "in 20 s"
        await gateway.serve()  # which closes what is idle
        await ended.wait()


def _own_address() -> str:
    """Of this machine, but not its loopback."""
    found = (one.address for many in psutil.net_if_addrs().values() for one in many if one.family is socket.AF_INET)
    address = next((one for one in found if not one.startswith("127.")), None)
    return address or pytest.skip("this machine has no other address than its loopback")


def _timer(remote_port: int) -> tuple[int, float]:
    """Which timer runs for a connection, as proc(5) numbers them, and in how many seconds it ends."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        if state == "01" and int(remote.rpartition(":")[2], 16) == remote_port:
            kind, ticks = timer.split(":")
            return int(kind), int(ticks, 16) / os.sysconf("SC_CLK_TCK")
    raise AssertionError("there is no such connection")


async def test_an_ipv6_address(gateway: Gateway, experiment: Experiment) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()

    heads: list[str] = []
    try:
        server = await asyncio.start_server(answer, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        port = server.sockets[0].getsockname()[1]
        await gateway.serve(route(experiment, url=f"http://[::1]:{port}"))
        assert (await gateway.chat()).status == 200
    assert f"host: [::1]:{port}\r\n" in heads[0]
