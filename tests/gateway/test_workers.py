"""Several processes on one port: they act and count as one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lab.client import Connection
from gateway.lab.process import Experiment, Gateway, children, running, workers
from support.waiting import eventually

USERS = [f"user-{number}" for number in range(40)]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway of two workers."""
    gateway = Gateway(tmp_path, "--workers", "2")
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


async def _variants(gateway: Gateway) -> dict[str, str]:
    """Of each user, each on a connection of its own: the kernel spreads them over the workers."""
    replies = await asyncio.gather(*(gateway.chat(user=user) for user in USERS))
    return {user: reply.variant for user, reply in zip(USERS, replies, strict=True)}


async def _in_both(gateway: Gateway) -> tuple[Connection, Connection]:
    """A connection to each worker."""
    found: dict[int, Connection] = {}
    leader, (other,) = gateway.process.pid, workers(gateway.process.pid)
    while len(found) < 2:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", gateway.port))
        await connection.ask("GET", "/health")
        port = connection.writer.get_extra_info("sockname")[1]
        owner = next(pid for pid in (leader, other) if _has_client(pid, port))
        if found.setdefault(owner, connection) is not connection:
            await connection.close()
    return found[leader], found[other]


def _has_client(pid: int, port: int) -> bool:
    import psutil

    return any(one.raddr and one.raddr.port == port for one in psutil.Process(pid).net_connections("tcp"))


async def test_the_same_split_and_one_count(pair: Gateway, experiment: Experiment) -> None:
    assert len(workers(pair.process.pid)) == 1
    assert len(children(pair.process.pid)) == 2, "and one analyser"
    await pair.serve(experiment.route(5000))
    first, again = await _variants(pair), await _variants(pair)
    assert first == again
    control, treatment = await pair.arms(experiment.name)
    assert control.requests + treatment.requests == 2 * len(USERS)
    connections = await _in_both(pair)
    for connection in connections:
        metrics = (await connection.ask("GET", "/metrics")).body.decode()
        counted = [line for line in metrics.splitlines() if line.startswith("quantdeck_gateway_requests_total{")]
        assert sum(int(line.rpartition(" ")[2]) for line in counted) == 2 * len(USERS)
        await connection.close()


async def test_an_acknowledged_change_holds_in_both(pair: Gateway, experiment: Experiment) -> None:
    await pair.serve(experiment.route())
    connections = await _in_both(pair)
    for weight_bp in (10_000, 0) * 5:
        revision = await pair.serve(experiment.route(weight_bp))
        replies = [
            await connection.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"}) for connection in connections
        ]
        wanted = "treatment" if weight_bp else "control"
        assert [(reply.variant, reply.headers["x-quantdeck-revision"]) for reply in replies] == [
            (wanted, str(revision))
        ] * 2
    for connection in connections:
        await connection.close()


async def test_answers_of_both_are_analysed(pair: Gateway, experiment: Experiment) -> None:
    await pair.serve(experiment.route())
    feed = await pair.listen()
    connections = await _in_both(pair)
    for number, connection in enumerate(connections, 1):
        body = b'{"text":"%b"}' % b" ".join([b"word"] * number)
        await connection.ask("POST", "/v1/completions", body, {"x-user-id": "u"})
    assert sorted([(await feed.next(experiment.name)).words for _ in connections]) == [1, 2]
    for connection in connections:
        await connection.close()
    await feed.close()


async def test_a_worker_that_dies_is_replaced_and_nobody_is_refused(pair: Gateway, experiment: Experiment) -> None:
    await pair.serve(experiment.route(5000))
    before = await _variants(pair)
    (other,) = workers(pair.process.pid)
    os.kill(other, signal.SIGKILL)
    assert await _variants(pair) == before, "while there is none"
    await eventually(lambda: workers(pair.process.pid) not in ([], [other]))
    assert await _variants(pair) == before


async def test_a_worker_that_does_not_acknowledge_is_replaced(pair: Gateway, experiment: Experiment) -> None:
    await pair.serve(experiment.route())
    (other,) = workers(pair.process.pid)
    os.kill(other, signal.SIGSTOP)
    revision = await pair.serve(experiment.route(10_000))
    assert not running(other)
    assert set((await _variants(pair)).values()) == {"treatment"}
    await eventually(lambda: workers(pair.process.pid) not in ([], [other]))
    reply = await pair.chat()
    assert reply.headers["x-quantdeck-revision"] == str(revision)


async def test_workers_end_with_their_leader(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path, "--workers", "3")
    await gateway.serve(experiment.route())
    family = children(gateway.process.pid)
    assert len(family) == 3
    gateway.process.kill()
    gateway.process.wait()
    await eventually(lambda: not any(running(pid) for pid in family))
    with pytest.raises(ConnectionRefusedError):
        await gateway.ask("GET", "/health")


async def test_a_port_is_not_shared_with_another_gateway(pair: Gateway) -> None:
    command = ["-m", "quantdeck_gateway", "--port", str(pair.port), "--workers", "2", "--experiment", "e"]
    ended = await asyncio.create_subprocess_exec(
        *(pair.process.args[0], *command, "--control", "http://127.0.0.1:1"),  # type: ignore[index]
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await ended.communicate()
    assert ended.returncode == 2
    assert b"is in use by another process" in stderr
