"""API keys, from the client to the engine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import ApiKey, GatewayConfig
from quantdeck_core.protocol.keys import digest_of
from quantdeck_gateway.cli import parse

APP, BATCH = (ApiKey(name=name, sha256=digest_of(b"secret-" + name.encode())) for name in ("app", "batch"))
ASKS = {"authorization": "Bearer secret-app", "x-user-id": "u"}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of its own: keys hold for all of one."""
    gateway = Gateway(tmp_path)
    yield gateway
    assert gateway.end() == 0


async def test_without_a_key_nothing_is_served_but_health(locked: Gateway, experiment: Experiment) -> None:
    await locked.serve(experiment.route(), keys=[APP])
    for method, path in [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/feedback"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
    ]:
        for headers in ({}, {"authorization": "Bearer secret"}, {"x-api-key": "Bearer secret-app"}):
            reply = await locked.ask(method, path, b"{}" if method == "POST" else b"", headers)
            assert (reply.status, reply.error) == (401, "invalid_api_key")
            assert reply.headers["www-authenticate"] == "Bearer"
    for path in ("/health", "/ready"):
        assert (await locked.ask("GET", path)).status == 200
    assert experiment.control.seen == []


async def test_with_a_key_it_is_served_and_the_engine_never_sees_the_key(
    locked: Gateway, experiment: Experiment
) -> None:
    await locked.serve(experiment.route(), keys=[APP, BATCH])
    for headers in (ASKS, {"x-api-key": "secret-batch", "x-other": "kept"}, {"Authorization": "bearer secret-app"}):
        assert (await locked.ask("POST", "/v1/completions", b"{}", headers)).status == 200
    heads = [head for head, _ in experiment.control.seen]
    assert len(heads) == 3
    assert not any("secret" in head or "authorization" in head.lower() for head in heads)
    assert "x-other: kept" in heads[1]
    text = (await locked.ask("GET", "/metrics", headers=ASKS)).body.decode()
    assert 'quantdeck_gateway_key_requests_total{key="app"} 3\n' in text
    assert 'quantdeck_gateway_key_requests_total{key="batch"} 1\n' in text
    assert "quantdeck_gateway_unauthorized_total 0\n" in text


async def test_without_keys_the_clients_own_goes_on_to_the_engine(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    headers = {"authorization": "Bearer theirs", "x-api-key": "theirs-too"}
    assert (await gateway.ask("POST", "/v1/completions", b"{}", headers)).status == 200
    head = experiment.control.seen[0][0].lower()
    assert "authorization: bearer theirs" in head
    assert "x-api-key: theirs-too" in head


async def test_a_key_that_is_taken_back_holds_no_longer(locked: Gateway, experiment: Experiment) -> None:
    await locked.serve(experiment.route(), keys=[APP, BATCH])
    async with locked.connect() as client:
        assert (await client.ask("GET", "/v1/models", headers=ASKS)).status == 200
        await locked.serve(experiment.route(), keys=[BATCH])
        assert (await client.ask("GET", "/v1/models", headers=ASKS)).status == 401
        await locked.serve(experiment.route())
        assert (await client.ask("GET", "/v1/models")).status == 200


async def test_where_other_machines_reach_it_nobody_gets_in_before_there_is_a_key(
    tmp_path: Path, experiment: Experiment, free_port: int
) -> None:
    argv = ["--config", str(tmp_path / "g.json"), "--listen", f"0.0.0.0:{free_port}"]
    gateway = Gateway(tmp_path, argv=argv)
    try:
        assert (await gateway.ask("GET", "/v1/models", headers=ASKS)).status == 401
        await gateway.serve(experiment.route(), keys=[APP])
        assert (await gateway.ask("POST", "/v1/completions", b"{}", ASKS)).status == 200
        await gateway.serve(experiment.route())
        assert (await gateway.ask("POST", "/v1/completions", b"{}", ASKS)).status == 401
        assert "no API key" in gateway.log.read_text()
    finally:
        assert gateway.end() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", socket.gethostname()])
def test_listening_for_other_machines_needs_keys_or_a_way_to_give_them(tmp_path: Path, host: str) -> None:
    alone = ["--control", "http://127.0.0.1:1", "--experiment", "e"]
    with pytest.raises(InputError, match="without an API key"):
        parse(["--listen", f"{host}:80", *alone])
    assert parse(["--listen", f"{host}:80", *alone, "--control-socket", str(tmp_path / "s")]).port == 80
    assert parse(["--listen", "127.0.0.1:80", *alone]).port == 80


async def test_keys_that_cannot_be_used_are_refused(locked: Gateway) -> None:
    revision = (await locked.status()).revision + 1
    reply = await locked.put(GatewayConfig(revision=revision, api_keys=(msgspec.structs.replace(APP, sha256="00"),)))
    assert (reply.status, (await locked.status()).revision) == (400, revision - 1)
