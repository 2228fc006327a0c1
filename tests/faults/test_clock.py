"""Fault 11, for engines: a clock that is set makes none look like another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from quantdeck_agent.process.identity import MARKER, identify, start_time


@pytest.mark.parametrize("hours", [-1.0, 1.0, 24 * 365.0])
def test_a_start_is_told_in_time_since_the_boot(hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={**os.environ, MARKER: "a/b"}
    )
    try:
        before, wall = start_time(process.pid), psutil.Process(process.pid).create_time()
        identity = identify(process.pid, "a/b")
        assert identity
        # The kernel computes the boot's UNIX time from the clock of the moment (btime in /proc/stat): a clock that is
        # set moves it, and with it what psutil calls the time of a start.
        played = psutil.boot_time() + hours * 3600
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: played)
        monkeypatch.setattr(psutil._pslinux, "BOOT_TIME", played, raising=False)
        assert abs(psutil.Process(process.pid).create_time() - wall) > 3000
        assert start_time(process.pid) == before
        assert identity.alive()
    finally:
        process.kill()
        process.communicate()


def test_it_is_the_kernel_that_says_it() -> None:
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert start_time(os.getpid()) == int(stat[19]) / os.sysconf("SC_CLK_TCK")
