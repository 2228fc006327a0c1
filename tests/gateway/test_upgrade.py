"""Another process takes over: on the same sockets, with what holds, and nothing breaks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.lab.process import Experiment, Gateway, children, running
from quantdeck_core.protocol.gateway import GatewayConfig, UpgradeAck
from quantdeck_core.protocol.signals import SignalsAsk
from support.waiting import eventually

HELD = b'{"stream":true,"act":"hold"}'


@pytest.fixture(params=[1, 2])
async def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that a test upgrades."""
    gateway = Gateway(tmp_path, "--workers", str(request.param))
    yield gateway
    await gateway.end_successor()
    assert "Traceback" not in gateway.log.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.json", "g.key", "log"]


async def _upgrade(gateway: Gateway) -> int:
    reply = await gateway.upgrade()
    assert reply.status == 200, reply.body
    pid = msgspec.json.decode(reply.body, type=UpgradeAck).pid
    assert (await gateway.status()).pid == pid
    return pid


async def test_what_holds_is_handed_over(upgraded: Gateway, experiment: Experiment) -> None:
    revision = await upgraded.serve(experiment.route(2500))
    before = {f"u-{number}": (await upgraded.chat(user=f"u-{number}")).variant for number in range(30)}
    upgraded.config_file.unlink()  # as if a full disk had refused it
    new = await _upgrade(upgraded)
    assert new != upgraded.process.pid
    await eventually(lambda: not running(upgraded.process.pid))
    assert ((await upgraded.status()).revision, await upgraded.serve(experiment.route(2500))) == (
        revision,
        revision + 1,
    )
    assert {user: (await upgraded.chat(user=user)).variant for user in before} == before


async def test_a_stream_survives_and_is_counted_until_its_end(upgraded: Gateway, experiment: Experiment) -> None:
    await upgraded.serve(experiment.route())
    async with upgraded.connect() as client:
        client.send("POST", "/v1/completions", HELD, {"x-user-id": "u"})
        await client.head()
        body = await client.chunk()
        await _upgrade(upgraded)
        # An agent that drains the engine must still see the stream.
        control, _ = await upgraded.arms(experiment.name)
        assert (control.in_flight, control.replicas[0].in_flight) == (1, 1)
        assert running(upgraded.process.pid)
        experiment.control.release.set()
        while data := await client.chunk():
            body += data
        assert body == b"".join(experiment.control.events("fine"))
        # Its head did not say that the connection would close, so the next request on it is answered; that one says it.
        reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.reader.read() == b""
    await eventually(lambda: not running(upgraded.process.pid))
    assert (await upgraded.arms(experiment.name))[0].in_flight == 0


async def test_kept_alive_connections_are_answered_once_more(upgraded: Gateway, experiment: Experiment) -> None:
    await upgraded.serve(experiment.route())
    async with upgraded.connect() as used, upgraded.connect() as fresh:
        await used.ask("GET", "/health")
        await _upgrade(upgraded)
        revision = await upgraded.serve(experiment.route(10_000))
        for client in (used, fresh):
            reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
            assert (reply.variant, reply.headers["x-quantdeck-revision"]) == ("treatment", str(revision))
            assert reply.headers["connection"] == "close"
            assert await client.reader.read() == b""


async def test_signals_go_on(upgraded: Gateway, experiment: Experiment) -> None:
    await upgraded.serve(experiment.route())
    feed = await upgraded.listen()
    async with upgraded.connect() as client:
        client.send("POST", "/v1/completions", HELD[:-1] + b',"text":"of the old one"}', {"x-user-id": "u"})
        await client.head()
        await upgraded.chat(text="before")
        assert (await feed.next(experiment.name)).words == 1
        await _upgrade(upgraded)
        assert await feed.reader.read() == b"", "the old analyser ends: an agent connects again"
        again = await upgraded.listen(SignalsAsk(epoch=feed.hello.epoch, after=1))
        assert again.hello.epoch != feed.hello.epoch
        experiment.control.release.set()
        while await client.chunk():
            pass
        assert (await again.next(experiment.name)).words == 4
    for one in (feed, again):
        await one.close()
    assert (await upgraded.status()).tee_dropped == 0


async def test_a_successor_that_does_not_come_up_changes_nothing(upgraded: Gateway, experiment: Experiment) -> None:
    revision = await upgraded.serve(experiment.route())
    before = (await upgraded.status()).pid
    for python, words in (("/nowhere/python", "Cannot start /nowhere/python"), ("/bin/false", "did not come up")):
        reply = await upgraded.upgrade(json.dumps({"python": python}).encode())
        assert (reply.status, json.loads(reply.body)["code"]) == (500, "gateway-upgrade-failed")
        assert words in json.loads(reply.body)["detail"]
    bare = Path(upgraded.config_file.parent / "python")
    bare.write_text("#!/bin/sh\necho 'error: no such module' >&2\nexit 3\n")
    bare.chmod(0o755)
    reply = await upgraded.upgrade(json.dumps({"python": str(bare)}).encode())
    assert "did not come up: error: no such module" in json.loads(reply.body)["detail"]
    bare.unlink()
    assert (await upgraded.status()).pid == before
    assert await upgraded.serve(experiment.route(1)) == revision + 1
    assert (await upgraded.upgrade(b"{")).status == 400


async def test_nothing_changes_while_a_successor_comes_up(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(experiment.route())
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 0.5\nexec {sys.executable} "$@"\n')
    slow.chmod(0o755)
    upgrade = asyncio.create_task(gateway.upgrade(json.dumps({"python": str(slow)}).encode()))
    refused = 0
    while not upgrade.done():
        status = await gateway.status()
        reply = await gateway.put(GatewayConfig(revision=status.revision + 1, experiments=(experiment.route(),)))
        assert reply.status in (200, 503)
        refused += reply.status == 503 and json.loads(reply.body)["code"] == "gateway-upgrading"
    assert refused
    assert (await upgrade).status == 200
    held = (await gateway.status()).revision
    assert msgspec.json.decode(gateway.config_file.read_bytes(), type=GatewayConfig).revision == held
    assert await gateway.serve(experiment.route()) == held + 1
    await gateway.end_successor()


async def test_a_signal_upgrades_too(upgraded: Gateway, experiment: Experiment) -> None:
    revision = await upgraded.serve(experiment.route())
    before = (await upgraded.status()).pid
    os.kill(before, signal.SIGUSR2)
    while (status := await upgraded.status()).pid == before:
        await asyncio.sleep(0.02)
    assert status.revision == revision


async def test_the_old_one_ends_its_answers_when_the_new_one_is_killed(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(experiment.route())
    async with gateway.connect() as client, gateway.connect() as idle:
        client.send("POST", "/v1/completions", HELD, {"x-user-id": "u"})
        await client.head()
        new = await _upgrade(gateway)
        family = [new, *children(new)]
        os.kill(new, signal.SIGKILL)
        assert await idle.reader.read() == b"", "nobody could change the split there any more"
        await client.chunk()
        experiment.control.release.set()
        assert (await client.chunk()).startswith(b"data: ")
        while await client.chunk():
            pass
    assert await asyncio.to_thread(gateway.process.wait, 5) == 0
    await eventually(lambda: not any(running(pid) for pid in family))


async def test_a_lapse_is_handed_over_and_holds_in_every_worker(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path, "--workers", "2", "--lease-seconds", "1")
    await gateway.serve(experiment.route(10_000))
    while not (lease := (await gateway.status()).routes[0].lease) or not lease.lapsed:
        await asyncio.sleep(0.05)
    assert {(await gateway.chat(user=f"u-{number}")).variant for number in range(20)} == {"control"}
    await _upgrade(gateway)
    (route,) = (await gateway.status()).routes
    assert route.lease
    assert (route.lease.lapsed, route.weight_bp, route.effective_weight_bp) == (True, 10_000, 0)
    assert {(await gateway.chat(user=f"u-{number}")).variant for number in range(20)} == {"control"}
    await gateway.tell("POST", "/v1/lease", json.dumps({"experiments": [experiment.name]}).encode())
    assert {(await gateway.chat(user=f"u-{number}")).variant for number in range(20)} == {"treatment"}
    await gateway.end_successor()


async def test_answers_given_before_can_still_be_rated(tmp_path: Path, experiment: Experiment) -> None:
    urls = ["--control", experiment.control.url, "--treatment", experiment.treatment.url]
    argv = ["--port", "0", *urls, "--experiment", experiment.name]  # no file keeps the key that signs ids
    gateway = Gateway(tmp_path, "--workers", "2", argv=argv)
    answers = [(await gateway.chat(user=f"u-{number}")).headers["x-quantdeck-answer"] for number in range(8)]
    await _upgrade(gateway)
    for answer in answers:
        body = json.dumps({"answer": answer, "rating": "up"}).encode()
        reply = await gateway.ask("POST", "/v1/feedback", body)
        assert reply.status == 202, reply.body
    await gateway.end_successor()
