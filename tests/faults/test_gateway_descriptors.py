"""The gateway has 64 file descriptors: it takes as many clients as it can serve, lets others wait, and recovers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from gateway.lab.client import Connection
from gateway.lab.process import Experiment, Gateway

LIMIT = 64
CLIENTS = 200


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path, before=("prlimit", f"--nofile={LIMIT}:{LIMIT}"))
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


async def test_more_clients_than_descriptors(gateway: Gateway, experiment: Experiment) -> None:
    assert psutil.Process(gateway.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (LIMIT, LIMIT)
    await gateway.serve(experiment.route())
    body = json.dumps({"stream": True, "act": "hold"}).encode()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateway.connect()) for _ in range(CLIENTS)]
        for client in clients:
            client.send("POST", "/v1/completions", body, {"x-user-id": "u"})
        heads = [asyncio.create_task(client.head()) for client in clients]
        done, waiting = await asyncio.wait(heads, timeout=0.5)
        inside = len(done)
        assert inside >= 8
        assert waiting, "nobody was refused: others wait"
        assert {task.result().status for task in done} == {200}
        # It does not spin, and can still be told what to do.
        process = psutil.Process(gateway.process.pid)
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        await asyncio.sleep(0.5)
        assert sum(process.cpu_times()[:2]) - before < 0.5 * (time.monotonic() - began)
        revision = await gateway.serve(experiment.route(1))
        assert process.num_fds() < LIMIT
        experiment.control.release.set()
        await asyncio.wait_for(
            asyncio.gather(*(_rest(client, head) for client, head in zip(clients, heads, strict=True))), 30
        )
    assert gateway.log.read_text().count("there are no descriptors for more") == 1, "said once a minute"
    # All were answered, none by an error, and the engine is not to blame for anything.
    control, _ = await gateway.arms(experiment.name)
    assert (control.requests, control.errors, control.cancelled) == (CLIENTS, 0, 0)
    reply = await gateway.chat()
    assert (reply.status, reply.headers["x-quantdeck-revision"]) == (200, str(revision))


async def _rest(client: Connection, head: asyncio.Task[object]) -> None:
    """Read an answer to its end, and leave."""
    await head
    while await client.chunk():
        pass
    await client.close()


async def test_an_engine_that_cannot_be_reached_for_want_of_descriptors_is_not_to_blame(
    gateway: Gateway, experiment: Experiment
) -> None:
    await gateway.serve(experiment.route())
    # Connections to the control socket are not counted as clients; an operator who opens too many is no user's fault.
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(gateway.connect())
        await client.ask("GET", "/health")
        process = psutil.Process(gateway.process.pid)
        while process.num_fds() < LIMIT:
            _, writer = await asyncio.open_unix_connection(str(gateway.control))
            stack.callback(writer.close)
            await asyncio.sleep(0.01)
        reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        assert (reply.status, reply.error, reply.headers["retry-after"]) == (503, "gateway_exhausted", "1")
    while not await _answers(gateway):
        await asyncio.sleep(0.02)
    control, _ = await gateway.arms(experiment.name)
    assert control.errors == 0


async def _answers(gateway: Gateway) -> bool:
    """Whether it takes a connection already, and has one to the engine."""
    try:
        return (await gateway.chat()).status == 200
    except (OSError, EOFError):
        return False
