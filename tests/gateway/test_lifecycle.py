"""Start, restart and end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gateway.lab.process import Experiment, Gateway, children
from support.waiting import eventually


@pytest.fixture
def argv(experiment: Experiment) -> list[str]:
    """A gateway alone."""
    urls = ["--control", experiment.control.url, "--treatment", experiment.treatment.url]
    return ["--port", "0", *urls, "--experiment", experiment.name]


async def test_alone(tmp_path: Path, argv: list[str]) -> None:
    gateway = Gateway(tmp_path, "--weight", "100", argv=argv)
    reply = await gateway.chat()
    assert (reply.variant, reply.headers["x-quantdeck-revision"]) == ("treatment", "1")
    assert gateway.end() == 0


def test_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "quantdeck_gateway", "--port", str(port), "--experiment", "e"]
        ended = subprocess.run(
            [*command, "--control", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=10, check=False
        )
    assert ended.returncode == 2
    what, next_step = ended.stderr.splitlines()
    assert what == f"error: Port {port} on 127.0.0.1 is in use by another process."
    assert next_step.startswith("  next: Choose another port")


async def test_config_is_read_again_after_a_kill(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    revision = await gateway.serve(experiment.route(2500))
    before = {f"u-{number}": (await gateway.chat(user=f"u-{number}")).variant for number in range(50)}
    (analyser,) = children(gateway.process.pid)
    gateway.process.kill()
    gateway.process.wait()
    await eventually(lambda: _has_ended(analyser), what="analyser ends")
    again = Gateway(tmp_path)  # on the sockets that the dead one left
    status = await again.status()
    assert (status.revision, status.routes[0].weight_bp) == (revision, 2500)
    assert {user: (await again.chat(user=user)).variant for user in before} == before
    feed = await again.listen()
    await feed.close()
    assert again.end() == 0
    assert not again.control.exists()
    assert not again.signals.exists()


async def test_sigterm_finishes_a_stream(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(experiment.route())
    async with gateway.connect() as client, gateway.connect() as idle:
        client.send("POST", "/v1/completions", b'{"stream":true,"act":"hold"}', {"x-user-id": "u"})
        await client.head()
        body = await client.chunk()
        gateway.terminate()
        assert await idle.reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        experiment.control.release.set()
        while data := await client.chunk():
            body += data
        assert body == b"".join(experiment.control.events("fine"))
        assert await client.reader.read() == b""
    assert await asyncio.to_thread(gateway.process.wait, 5) == 0


async def test_drain_has_an_end(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path, "--drain-seconds", "0.2")
    await gateway.serve(experiment.route())
    asked = asyncio.create_task(gateway.chat(act="hang"))
    await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 1)
    gateway.terminate()
    assert await asyncio.to_thread(gateway.process.wait, 5) == 0
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asked
    await eventually(lambda: experiment.control.cancelled == 1)


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
