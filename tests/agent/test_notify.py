"""What systemd is told: over a real datagram socket, as it makes one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantdeck_agent.notify import Notifier
from support.agents import AgentProcess, short_folder
from support.waiting import eventually


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def lines(self) -> list[str]:
        try:
            while True:
                self.heard += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.heard


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with short_folder() as folder:
        yield f"{folder}/notify" if request.param == "path" else f"@quantdeck-test-{os.getpid()}-{folder.name}"


async def test_ready_alive_and_stopping(address: str) -> None:
    manager = Manager(address)
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/"}
    notifier = Notifier(environment)
    assert environment == {"PATH": "/"}, "engines must not inherit it"
    assert notifier.watchdog_s == 0.06
    notifier.ready("one engine")
    status = ["one engine"]
    keeping = asyncio.create_task(notifier.keep(lambda: status[0]))
    await eventually(lambda: manager.lines().count("WATCHDOG=1") >= 3)
    status[0] = "two engines"
    await eventually(lambda: "STATUS=two engines" in manager.lines())
    keeping.cancel()
    notifier.stopping()
    heard = manager.lines()
    assert heard[:2] == ["READY=1", "STATUS=one engine"]
    assert "STOPPING=1" in heard[-2:]
    assert heard.count("STATUS=one engine") == heard.count("STATUS=two engines") == 1
    manager.socket.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1000"},
        {"WATCHDOG_USEC": "-5"},
    ],
)
async def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier(environment)
    notifier.ready("x")
    keeping = asyncio.create_task(notifier.keep(lambda: "y"))
    await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()
    notifier.stopping()


def test_a_watchdog_of_another_process_is_not_answered(address: str) -> None:
    assert Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}).watchdog_s is None


async def test_a_real_agent_tells_its_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as folder:
        manager = Manager(f"{folder}/notify")
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        one = AgentProcess(folder, tmp_path)
        try:
            await one.start()
            await eventually(lambda: manager.lines().count("WATCHDOG=1") >= 2)
            assert "READY=1" in manager.heard
            assert "STATUS=0 of 0 engines ready, 0 experiments" in manager.heard
            # A stopped event loop pings no more: that is what the watchdog is for.
            assert one.process
            one.process.send_signal(signal.SIGSTOP)
            count = manager.lines().count("WATCHDOG=1")
            await asyncio.sleep(0.4)
            assert manager.lines().count("WATCHDOG=1") <= count + 1
            one.process.send_signal(signal.SIGCONT)
            assert one.terminate() == 0
            assert "STOPPING=1" in manager.lines()
        finally:
            one.end_everything()
            manager.socket.close()
