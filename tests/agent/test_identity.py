"""A process is itself and nobody else, however often one asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.process.life import Life
from quantdeck_agent.process.spawn import reap, spawn
from support.waiting import eventually

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def identity(tmp_path: Path) -> ProcessIdentity:
    return spawn(SLEEP, "test/one", tmp_path / "log")


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_alive_until_it_ends_also_before_it_is_collected(identity: ProcessIdentity) -> None:
    before = open_descriptors()
    assert all(identity.alive() for _ in range(50))
    assert open_descriptors() == before + 1
    os.kill(identity.pid, signal.SIGKILL)
    await eventually(lambda: not identity.alive())
    assert identity.process() is None, "a zombie is not alive"
    assert not identity.alive()
    reap()
    assert not identity.alive()
    assert open_descriptors() == before


async def test_another_process_under_the_same_pid_is_not_it(identity: ProcessIdentity) -> None:
    try:
        for changed in ({"created": identity.created - 60}, {"marker": "test/other"}):
            other = msgspec.structs.replace(identity, **changed)  # type: ignore[arg-type]
            assert not other.alive()
            other.signal_group(signal.SIGKILL)
        assert identity.alive()
    finally:
        identity.signal_group(signal.SIGKILL)
        await eventually(lambda: not identity.alive())
        reap()


async def test_a_kernel_without_process_descriptors(identity: ProcessIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    assert identity.alive()
    identity.signal_group(signal.SIGKILL)
    await eventually(lambda: not identity.alive())
    reap()


def test_nobody_has_the_pid() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert Life.of(child.pid) is None


async def test_what_an_agent_starts_is_not_kept_from_the_out_of_memory_killer(tmp_path: Path) -> None:
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    try:
        own.write_text("-500")
    except OSError:
        pytest.skip("lowering oom_score_adj needs a right that this user has not")
    try:
        identity = spawn(SLEEP, "test/two", tmp_path / "log")
        assert Path(f"/proc/{identity.pid}/oom_score_adj").read_text() == "0\n"
    finally:
        own.write_text(before)
    identity.signal_group(signal.SIGKILL)
    await eventually(lambda: not identity.alive())
    reap()
