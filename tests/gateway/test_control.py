"""The control socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
from pathlib import Path

import msgspec
import pytest

from gateway.lab.client import Connection
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.gateway import GatewayConfig


async def test_only_the_owner_may_use_the_sockets(gateway: Gateway) -> None:
    for path in (gateway.control, gateway.signals):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_acknowledged_is_on_disk(gateway: Gateway, experiment: Experiment) -> None:
    revision = await gateway.serve(experiment.route(1234))
    config = msgspec.json.decode(gateway.config_file.read_bytes(), type=GatewayConfig)
    assert config == GatewayConfig(revision=revision, experiments=(experiment.route(1234),))
    assert stat.S_IMODE(gateway.config_file.stat().st_mode) == 0o600


async def test_revisions_only_rise(gateway: Gateway, experiment: Experiment) -> None:
    revision = await gateway.serve(experiment.route(100))
    same = GatewayConfig(revision=revision, experiments=(experiment.route(100),))
    assert (await gateway.put(same)).status == 200  # sent again because the answer was lost
    for wrong in (
        GatewayConfig(revision=revision, experiments=(experiment.route(200),)),
        GatewayConfig(revision=revision - 1, experiments=(experiment.route(200),)),
    ):
        reply = await gateway.put(wrong)
        assert reply.status == 409
        assert msgspec.json.decode(reply.body, type=ErrorInfo).code == "conflict"
    (route,) = (await gateway.status()).routes
    assert route.weight_bp == 100


async def test_racing_changes_have_one_winner(gateway: Gateway, experiment: Experiment) -> None:
    revision = (await gateway.status()).revision + 1
    configs = [GatewayConfig(revision=revision, experiments=(experiment.route(weight),)) for weight in range(1, 21)]
    replies = await asyncio.gather(*map(gateway.put, configs))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 19
    (winner,) = (config for config, reply in zip(configs, replies, strict=True) if reply.status == 200)
    assert msgspec.json.decode(gateway.config_file.read_bytes(), type=GatewayConfig) == winner
    assert (await gateway.status()).routes[0].weight_bp == winner.experiments[0].weight_bp


@pytest.mark.parametrize("body", [b"", b"{", b'{"revision":true}', b'{"revision":1000000,"experiments":[{}]}'])
async def test_what_is_no_config_changes_nothing(gateway: Gateway, experiment: Experiment, body: bytes) -> None:
    revision = await gateway.serve(experiment.route())
    connection = Connection(*await asyncio.open_unix_connection(str(gateway.control)))
    reply = await connection.ask("PUT", "/v1/config", body)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "bad-input")
    reply = await connection.ask("GET", "/v1/nothing")
    assert (reply.status, json.loads(reply.body)["code"]) == (404, "not-found")
    await connection.close()
    assert (await gateway.status()).revision == revision


async def test_a_config_that_cannot_be_kept_does_not_hold(tmp_path: Path, experiment: Experiment) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    argv = ["--config", str(folder / "g.json"), "--listen", "127.0.0.1:0"]
    gateway = Gateway(tmp_path, argv=argv)
    try:
        shutil.rmtree(folder)
        reply = await gateway.put(GatewayConfig(revision=1, experiments=(experiment.route(),)))
        assert (reply.status, json.loads(reply.body)["code"]) == (507, "config-not-saved")
        assert ((await gateway.status()).revision, (await gateway.status()).routes) == (0, ())
    finally:
        assert gateway.end() == 0


async def test_answers_under_load(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    stop = asyncio.Event()

    async def load() -> None:
        async with gateway.connect() as client:
            while not stop.is_set():
                await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})

    tasks = [asyncio.create_task(load()) for _ in range(16)]
    loop, times = asyncio.get_running_loop(), []
    for _ in range(30):
        began = loop.time()
        await gateway.status()
        times.append(loop.time() - began)
    stop.set()
    await asyncio.gather(*tasks)
    assert sorted(times)[15] < 0.1  # this test's own client and engines share the machine
