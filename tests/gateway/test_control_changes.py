"""What people and scripts change over the control socket of a gateway that nobody else manages."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

from gateway.lab.client import Reply
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import ConfigAck, GatewayConfig, RouteStatus
from support.small_disk import small_disk
from support.waiting import POLL_S


async def post(gateway: Gateway, path: str, **ask: object) -> Reply:
    return await gateway.tell("POST", path, json.dumps(ask).encode())


async def done(gateway: Gateway, path: str, **ask: object) -> ConfigAck:
    reply = await post(gateway, path, **ask)
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body, type=ConfigAck)


async def route_of(gateway: Gateway, experiment: Experiment) -> RouteStatus:
    (route,) = (route for route in (await gateway.status()).routes if route.name == experiment.name)
    return route


async def test_a_weight_is_on_disk_and_decides_about_the_next_request(gateway: Gateway, experiment: Experiment) -> None:
    revision = await gateway.serve(experiment.route(0))
    ack = await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=10_000, revision=revision)
    assert ack == ConfigAck(revision=revision + 1)
    reply = await gateway.chat()
    assert (reply.variant, reply.headers["x-quantdeck-revision"]) == ("treatment", str(revision + 1))
    config = msgspec.json.decode(gateway.config_file.read_bytes(), type=GatewayConfig)
    assert config == GatewayConfig(revision=revision + 1, experiments=(experiment.route(10_000),))
    stale = await post(gateway, "/v1/weight", experiment=experiment.name, weight_bp=1, revision=revision)
    assert (stale.status, json.loads(stale.body)["code"]) == (409, "conflict")
    again = await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=10_000)
    assert again.revision == revision + 1  # it holds already


async def test_racing_weights_have_one_winner(gateway: Gateway, experiment: Experiment) -> None:
    revision = await gateway.serve(experiment.route(0))
    asks = (
        post(gateway, "/v1/weight", experiment=experiment.name, weight_bp=weight, revision=revision)
        for weight in range(1, 21)
    )
    replies = await asyncio.gather(*asks)
    assert sorted(reply.status for reply in replies) == [200] + [409] * 19
    assert (await gateway.status()).revision == revision + 1


async def test_a_latch_holds_until_it_is_lifted_with_a_reason(gateway: Gateway, experiment: Experiment) -> None:
    revision = await gateway.serve(experiment.route(10_000))
    await done(gateway, "/v1/latch", experiment=experiment.name)
    route = await route_of(gateway, experiment)
    assert (route.weight_bp, route.latched) == (0, True)
    assert (await gateway.chat()).variant == "control"
    refused = await post(gateway, "/v1/weight", experiment=experiment.name, weight_bp=1)
    assert (refused.status, b"latched" in refused.body) == (409, True)

    # A whole config that does not speak of the latch leaves it; one that opens it may raise the weight.
    silent = msgspec.to_builtins(GatewayConfig(revision=revision + 2, experiments=(experiment.route(100),)))
    del silent["experiments"][0]["latched"]
    reply = await gateway.tell("PUT", "/v1/config", json.dumps(silent).encode())
    assert reply.status == 409
    silent["experiments"][0]["weight_bp"] = 0
    assert (await gateway.tell("PUT", "/v1/config", json.dumps(silent).encode())).status == 200
    assert (await route_of(gateway, experiment)).latched
    closed = msgspec.structs.replace(experiment.route(100), latched=True)
    assert (await gateway.put(GatewayConfig(revision=revision + 3, experiments=(closed,)))).status == 400
    opened = GatewayConfig(revision=revision + 3, experiments=(experiment.route(100),))
    assert (await gateway.put(opened)).status == 200

    await done(gateway, "/v1/latch", experiment=experiment.name)
    assert (await post(gateway, "/v1/unlatch", experiment=experiment.name)).status == 400
    assert (await post(gateway, "/v1/unlatch", experiment=experiment.name, reason="")).status == 400
    await done(gateway, "/v1/unlatch", experiment=experiment.name, reason="mended")
    assert "reason='mended'" in gateway.log.read_text()
    route = await route_of(gateway, experiment)
    assert (route.weight_bp, route.latched) == (0, False)
    await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=1)


async def test_a_latch_survives_a_kill(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(experiment.route(10_000))
    await done(gateway, "/v1/latch", experiment=experiment.name)
    gateway.process.kill()
    gateway.process.wait()
    again = Gateway(tmp_path)
    assert (await route_of(again, experiment)).latched
    assert (await post(again, "/v1/weight", experiment=experiment.name, weight_bp=1)).status == 409
    assert again.end() == 0


@pytest.mark.parametrize("path", ["/v1/weight", "/v1/latch", "/v1/unlatch"])
async def test_what_cannot_be_changed(gateway: Gateway, experiment: Experiment, path: str) -> None:
    revision = await gateway.serve(experiment.route(5))
    more = {"/v1/weight": {"weight_bp": 1}, "/v1/unlatch": {"reason": "x"}}.get(path, {})
    assert (await post(gateway, path, experiment="unknown", **more)).status == 404
    for body in (b"", b"[]", b"\xff", b'{"experiment":1}', b'{"experiment":"e","weight_bp":10001}'):
        assert (await gateway.tell("POST", path, body)).status == 400
    assert (await gateway.tell("GET", path)).status == 404
    assert (await gateway.status()).revision == revision


async def test_on_a_full_disk_weights_fall_and_latches_close_but_nothing_rises(
    tmp_path: Path, experiment: Experiment
) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        argv = ["--config", str(disk.folder / "g.json"), "--listen", "127.0.0.1:0"]
        gateway = Gateway(tmp_path, argv=argv)
        try:
            await gateway.serve(experiment.route(5000))
            disk.fill()
            raised = await post(gateway, "/v1/weight", experiment=experiment.name, weight_bp=6000)
            assert (raised.status, json.loads(raised.body)["code"]) == (507, "config-not-saved")
            await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=4000)
            assert (await route_of(gateway, experiment)).weight_bp == 4000
            await done(gateway, "/v1/latch", experiment=experiment.name)
            assert (await route_of(gateway, experiment)).latched
            assert (await post(gateway, "/v1/unlatch", experiment=experiment.name, reason="x")).status == 507
        finally:
            assert gateway.end() == 0


async def test_a_weight_that_falls_holds_before_a_slow_disk_has_it_and_is_acknowledged_after(
    tmp_path: Path, experiment: Experiment
) -> None:
    gateway = Gateway(tmp_path, "--workers", "2")
    try:
        revision = await gateway.serve(experiment.route(10_000))
        assert (await gateway.chat()).variant == "treatment"
        slow = gateway.config_file.with_name(f".{gateway.config_file.name}.{gateway.process.pid}")
        os.mkfifo(slow)  # opening it to write takes until somebody reads
        told = asyncio.create_task(post(gateway, "/v1/weight", experiment=experiment.name, weight_bp=0))
        while (await gateway.status()).revision == revision:
            await asyncio.sleep(POLL_S)
        assert {(await gateway.chat()).variant for _ in range(20)} == {"control"}
        assert not told.done()
        reading = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
        assert (await told).status == 200
        os.close(reading)
    finally:
        assert gateway.end() == 0


async def test_drain_finishes_what_is_in_flight_and_ends(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(experiment.route())
    asked = asyncio.create_task(gateway.chat(act="hang"))
    await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 1)
    ack = await done(gateway, "/v1/drain")
    assert "ends" in ack.detail
    experiment.control.release.set()
    assert (await asked).status == 200
    assert await asyncio.to_thread(gateway.process.wait, 10) == 0


async def test_drain_of_an_idle_gateway_is_answered(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await done(gateway, "/v1/drain")
    assert await asyncio.to_thread(gateway.process.wait, 10) == 0


async def test_a_gateway_of_arguments_can_be_changed_until_it_ends(tmp_path: Path, experiment: Experiment) -> None:
    urls = ["--control", experiment.control.url, "--treatment", experiment.treatment.url]
    gateway = Gateway(tmp_path, argv=["--port", "0", *urls, "--experiment", experiment.name])
    ack = await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=10_000)
    assert (ack.revision, ack.detail) == (2, "It holds until the gateway ends: no file keeps it.")
    assert (await gateway.chat()).variant == "treatment"
    assert gateway.end() == 0


# A config that a person writes


def toml(experiment: Experiment, weight: str, more: str = "") -> str:
    return f"""
[[experiment]]
name = "{experiment.name}"
weight = {weight}
{more}
[experiment.control]
urls = ["{experiment.control.url}"]
[experiment.treatment]
urls = ["{experiment.treatment.url}"]
"""


async def read_again(gateway: Gateway, revision: int) -> None:
    gateway.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(10):
        while (await gateway.status()).revision != revision:
            await asyncio.sleep(0.02)


async def refused_again(gateway: Gateway) -> None:
    refusals = gateway.log.read_text().count("is not served")
    gateway.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(10):
        while gateway.log.read_text().count("is not served") == refusals:
            await asyncio.sleep(0.02)


async def test_a_toml_is_read_at_the_start_and_on_sighup(tmp_path: Path, experiment: Experiment) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(toml(experiment, "100"))
    gateway = Gateway(tmp_path, argv=["--config", str(file), "--port", "0"])
    assert (await gateway.chat()).variant == "treatment"
    ack = await done(gateway, "/v1/weight", experiment=experiment.name, weight_bp=0)
    assert ack.detail.startswith(f"It holds until {file} is read again")
    assert file.read_text() == toml(experiment, "100")
    assert (await gateway.chat()).variant == "control"
    await read_again(gateway, 3)
    assert (await gateway.chat()).variant == "treatment"

    file.write_text("[[experiment]")
    await refused_again(gateway)
    assert (await gateway.chat()).variant == "treatment"

    # A latch that was closed by hand is not opened by a file that does not speak of it.
    await done(gateway, "/v1/latch", experiment=experiment.name)
    file.write_text(toml(experiment, "50"))
    await refused_again(gateway)
    assert (await route_of(gateway, experiment)).latched
    file.write_text(toml(experiment, "50", "latched = false"))
    await read_again(gateway, 5)
    route = await route_of(gateway, experiment)
    assert (route.latched, route.weight_bp) == (False, 5000)
    assert gateway.end() == 0


async def test_sighup_of_a_gateway_with_a_json_serves_what_it_says(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    revision = await gateway.serve(experiment.route(10_000))
    newer = GatewayConfig(revision=revision + 4, experiments=(experiment.route(0),))
    gateway.config_file.write_bytes(msgspec.json.encode(newer))
    await read_again(gateway, revision + 4)
    assert (await gateway.chat()).variant == "control"
    gateway.config_file.write_bytes(msgspec.json.encode(msgspec.structs.replace(newer, revision=1)))
    await refused_again(gateway)
    assert (await gateway.status()).revision == revision + 4
    assert gateway.end() == 0
