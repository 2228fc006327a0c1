"""Memory of processes: real ones in RAM, NVML's answers played for GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from quantdeck_core.errors import NotFoundError
from quantdeck_ledger.process_memory import NotMeasuredError, gpu_bytes, resident_bytes

MIB = 1 << 20
_HOLDER = "import sys; kept = bytearray({size}); print('ready', flush=True); sys.stdin.read()"
_FORKS = (
    "import os, sys; kept = bytearray({size}); pid = os.fork()\n"
    "if pid: print('ready', flush=True)\n"
    "sys.stdin.read(); pid and os.waitpid(pid, 0)"
)


@contextmanager
def process(code: str, size: int) -> Iterator[int]:
    argv = [sys.executable, "-c", code.format(size=size)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        try:
            assert one.stdout.readline() == b"ready\n"
            yield one.pid
        finally:
            one.stdin.close()
            one.wait(timeout=10)


def test_one_process_is_its_resident_set() -> None:
    with process(_HOLDER, 64 * MIB) as pid:
        assert resident_bytes(pid) == pytest.approx(psutil.Process(pid).memory_info().rss, rel=0.02)
        assert resident_bytes(pid) > 64 * MIB


def test_what_a_family_shares_is_counted_once() -> None:
    with process(_FORKS, 64 * MIB) as pid:
        family = [psutil.Process(pid), *psutil.Process(pid).children()]
        apart = sum(one.memory_info().rss for one in family)
        assert len(family) == 2
        assert 64 * MIB < resident_bytes(pid) < apart - 50 * MIB


def test_nobody_there() -> None:
    with process(_HOLDER, 1) as pid:
        pass
    for measure in (resident_bytes, gpu_bytes):
        with pytest.raises(NotFoundError, match=f"no process {pid}"):
            measure(pid)


def _play(monkeypatch: pytest.MonkeyPatch, *gpus: dict[int, int | None]) -> None:
    """GPUs with PID -> bytes; all processes compute and draw."""

    def running(handle: dict[int, int | None]) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in handle.items()]

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(gpus))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: gpus[index])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", running)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetGraphicsRunningProcesses", running)


def test_the_gpu_where_a_family_has_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in both of NVML's lists is counted once."""
    with process(_FORKS, 1) as pid:
        child = psutil.Process(pid).children()[0].pid
        _play(monkeypatch, {pid: 100, child: 500, os.getpid(): 9000}, {child: 550}, {os.getpid(): 9000})
        assert gpu_bytes(pid) == 600


def test_a_gpu_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    _play(monkeypatch, {os.getpid(): None, 4_000_000: 7})
    with pytest.raises(NotMeasuredError, match="No GPU shows memory"):
        gpu_bytes(os.getpid())


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    with pytest.raises(NotMeasuredError, match="No NVIDIA GPU can be asked"):
        gpu_bytes(os.getpid())
