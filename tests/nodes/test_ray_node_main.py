"""The program that runs a host's commands: order, ends and ports, with small real programs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.waiting import eventually

_KEEPS_A_PORT = """
import signal, socket, sys, time
def ended(*_):
    print("cluster ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
node = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("cluster up", flush=True)
while True: time.sleep(60)
"""
_SERVES = """
import os, pathlib, signal, sys, time
def ended(*_):
    time.sleep(0.3)  # answers that have begun
    print("server ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
print("server up", os.getsid(0), flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""


def free_block() -> int:
    """The first of ten ports that nobody has."""
    for first in range(24000 + os.getpid() % 300 * 20, 32000, 10):
        try:
            for port in range(first, first + 10):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


class NodeMain:
    """A run of it with a cluster and a server."""

    def __init__(self, folder: Path, *commands: tuple[str, ...], awaited: str = "") -> None:
        self.port, self.log, self.scratch = free_block(), folder / "log", folder / "scratch"
        (folder / "cluster.py").write_text(_KEEPS_A_PORT)
        (folder / "server.py").write_text(_SERVES)
        cluster = (sys.executable, str(folder / "cluster.py"), str(self.port + 1))
        argv = [sys.executable, "-m", "quantdeck_agent.engines.ray_node_main", "--address", "127.0.0.1"]
        argv += ["--port", str(self.port), "--scratch", str(self.scratch)]
        argv += ["--await", awaited] if awaited else []
        argv += [word for command in (cluster, *commands) for word in ("--", *command)]
        self.argv = argv

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log, start_new_session=True)

    def said(self) -> str:
        return self.log.read_text()

    def ended(self) -> int:
        return self.process.wait(20)


@pytest.fixture
def server(tmp_path: Path) -> tuple[str, ...]:
    return (sys.executable, str(tmp_path / "server.py"))


async def test_the_server_ends_before_the_cluster_where_it_is_asked_to(tmp_path: Path, server: tuple[str, ...]) -> None:
    node = NodeMain(tmp_path, (*server, "60"))
    node.start()
    await eventually(lambda: "server up" in node.said())
    assert f"server up {node.process.pid}" in node.said(), "all of it is one session"
    assert node.scratch.stat().st_mode & 0o777 == 0o700
    os.killpg(node.process.pid, signal.SIGTERM)
    assert node.ended() == 0
    assert node.said().index("server ended") < node.said().index("cluster ended")
    assert not node.scratch.exists()


async def test_all_end_with_the_server_and_with_its_code(tmp_path: Path, server: tuple[str, ...]) -> None:
    node = NodeMain(tmp_path, (*server, "0.2"))
    node.start()
    assert node.ended() == 7
    assert "server.py ended with exit code 7: everything here ends with it" in node.said()
    assert "cluster ended" in node.said()
    assert node.scratch.exists(), "logs are left for reading"


async def test_all_end_with_the_cluster(tmp_path: Path, server: tuple[str, ...]) -> None:
    node = NodeMain(tmp_path, (*server, "60"))
    node.start()
    await eventually(lambda: "server up" in node.said())
    (cluster,) = (one for one in psutil.Process(node.process.pid).children() if "cluster.py" in one.cmdline()[1])
    cluster.kill()
    assert node.ended() == 1
    assert "cluster.py ended by signal 9" in node.said()
    assert "server ended" in node.said()


async def test_the_server_waits_for_the_other_hosts(tmp_path: Path, server: tuple[str, ...]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # taken, and it does not answer yet
        port = other.getsockname()[1]
        node = NodeMain(tmp_path, (*server, "0.1"), awaited=f"gpu-2=127.0.0.1:{port}")
        node.start()
        await eventually(lambda: f"waiting for gpu-2 at 127.0.0.1:{port}" in node.said())
        assert "cluster up" in node.said()
        assert "server up" not in node.said()
        other.listen()
        assert node.ended() == 7


async def test_a_port_that_is_taken_is_named(tmp_path: Path, server: tuple[str, ...]) -> None:
    node = NodeMain(tmp_path, (*server, "60"))
    with socket.create_server(("127.0.0.1", node.port + 5)):
        node.start()
        assert node.ended() == 1
    assert f"error: port {node.port + 5} of 127.0.0.1 cannot be taken" in node.said()
    assert "cluster up" not in node.said()


async def test_a_program_that_is_not_there_ends_it(tmp_path: Path) -> None:
    node = NodeMain(tmp_path, ("/nosuch/vllm", "serve"))
    node.start()
    assert node.ended() == 1
    assert "error: cannot start /nosuch/vllm: No such file" in node.said()
    assert "cluster ended" in node.said()
