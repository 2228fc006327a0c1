"""Fault 7: a worker that outlives its parent and holds a GPU."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.process.session import members, signal_members
from quantdeck_agent.process.spawn import spawn
from support.deck import deck
from support.engine_host import engine_host
from support.played_engine import PlayedEngine
from support.processes import alive
from support.waiting import eventually


async def test_a_stop_ends_a_worker_that_ignores_it(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(orphan=True)
    async with deck(demo_models, gateway=False) as host:
        await host.deploy(played.profile())
        worker = psutil.Process(played.worker)
        assert alive([worker])
        await host.stop()
        assert not alive([worker])
        assert not host.agent.marked()


async def test_a_crash_leaves_no_worker_to_the_next_start(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(orphan=True)
    async with deck(demo_models, gateway=False) as host:
        engine = await host.deploy(played.profile())
        worker = psutil.Process(played.worker)
        os.kill(engine.pid or 0, signal.SIGKILL)
        again = await host.when(lambda status: status.engines[0].pid not in (None, engine.pid))
        assert not alive([worker]), "another was started while a worker of the last one held on"
        assert again.engines[0].generation == 2
        await host.until("ready", generation=2)


async def test_the_next_start_waits_until_the_memory_is_free(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with engine_host(demo_models) as host:
        host.gpus(20)
        operation = await host.deploy(played.profile(serve_n_gpu_layers=-1))
        assert operation.state == "done", operation.error
        (before,) = host.statuses()
        assert before.pid
        host.held = {0: frozenset({before.pid, 1})}  # the driver frees memory some time after a process has ended
        os.kill(before.pid, signal.SIGKILL)
        waiting = await eventually(
            lambda: next((one for one in host.hub.status().operations if one.kind == "recover"), None)
        )
        await host.at(waiting, "room", "memory")
        assert not host.processes(), "nothing was started while the GPU is not free"
        host.held = {0: frozenset({1})}  # whoever else is there is no reason to wait
        assert (await host.end(waiting)).state == "done"
        assert host.statuses()[0].generation == 2


RENAMED = """
import ctypes, os, subprocess, sys, time
if sys.argv[1:] == ["worker"]:
    # What setproctitle does to the environment that the kernel shows, as vLLM's workers do.
    maps = open("/proc/self/stat").read().rpartition(")")[2].split()
    begin, end = int(maps[47]), int(maps[48])
    ctypes.memset(begin, 0, end - begin)
    print("renamed", flush=True)
    time.sleep(600)
worker = subprocess.Popen([sys.executable, "-c", os.environ["CODE"], "worker"], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(600)
"""


async def test_workers_that_wrote_over_their_environment_are_still_members(tmp_path: Path) -> None:
    log = tmp_path / "log"
    identity = spawn([sys.executable, "-c", RENAMED], "owner/engine.1", log, {**os.environ, "CODE": RENAMED})
    try:
        await eventually(lambda: log.read_text().strip())
        worker = psutil.Process(int(log.read_text()))
        assert worker.environ() == {}
        assert {one.pid for one in members(identity)} == {identity.pid, worker.pid}
        os.kill(identity.pid, signal.SIGKILL)
        await eventually(lambda: [one.pid for one in members(identity)] == [worker.pid])
        # Somebody else's session of that number, later: an empty environment is no proof then.
        other = ProcessIdentity(pid=identity.pid, created=identity.created + 100, marker=identity.marker)
        assert members(other) == []
    finally:
        signal_members(identity, signal.SIGKILL)
    await eventually(lambda: not alive([worker]))
