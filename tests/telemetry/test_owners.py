"""Which engine holds a GPU's memory: real processes in sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quantdeck_agent.telemetry.owners import with_engines
from quantdeck_core.protocol.host import GpuProcess, GpuSample, MigDevice
from support.fleets import GIB, gpus, replace, sample

WITH_A_WORKER = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=sys.stdin)
print(worker.pid, flush=True)
worker.wait()
"""


def on(*processes: GpuProcess) -> GpuSample:
    return replace(gpus(1)[0], processes=processes)


def test_a_worker_is_of_the_engine_that_started_it_and_a_stranger_of_none() -> None:
    argv = [sys.executable, "-c", WITH_A_WORKER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdin
        assert leader.stdout
        worker = int(leader.stdout.readline())
        reading = sample(gpus=(on(GpuProcess(leader.pid, GIB), GpuProcess(worker, None), GpuProcess(os.getpid(), 1)),))
        [gpu] = with_engines(reading, {leader.pid}).gpus
        assert gpu.processes == (
            GpuProcess(leader.pid, GIB, leader.pid),
            GpuProcess(worker, None, leader.pid),
            GpuProcess(os.getpid(), 1, None),
        )
        leader.stdin.close()


def test_processes_of_a_part_of_a_gpu_too() -> None:
    own = os.getsid(0)
    part = MigDevice(name="1g.10gb", processes=(GpuProcess(os.getpid(), GIB),))
    [gpu] = with_engines(sample(gpus=(replace(on(), mig=(part,)),)), {own}).gpus
    assert gpu.mig is not None
    assert gpu.mig[0].processes == (GpuProcess(os.getpid(), GIB, own),)


@pytest.mark.parametrize("leaders", [{1}, set()])
def test_one_that_has_ended_and_a_hidden_list(leaders: set[int]) -> None:
    ended = GpuProcess(2**22 + 1, GIB)  # beyond the highest number that Linux gives
    reading = sample(gpus=(on(ended), replace(gpus(1)[0], processes=None)))
    assert with_engines(reading, leaders) == reading
