"""Fault 8: a PID that belongs to somebody else by now gets no signal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.process.identity import MARKER, ProcessIdentity, start_time
from quantdeck_agent.process.session import marked, members, signal_members
from support.deck import changed, deck
from support.waiting import eventually

LISTENER = """
import signal, sys, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, lambda number, _: print("signal", number, flush=True))
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@contextlib.contextmanager
def stranger(log: Path, marker: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own that writes down every signal."""
    environment = {**os.environ, **({MARKER: marker} if marker else {})}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER], stdout=out, start_new_session=True, env=environment
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("marker", ["", "someone/else.1", "owner/engine.1"])
async def test_no_function_signals_it(tmp_path: Path, marker: str) -> None:
    log = tmp_path / "log"
    with stranger(log, marker) as process:
        await eventually(lambda: log.read_text() == "ready\n")
        earlier = start_time(process.pid) - 100
        if marker == "owner/engine.1":
            # Even with our marker: one that was started later than this moment says is not the one that was meant.
            earlier = start_time(process.pid) + 100
        gone = ProcessIdentity(pid=process.pid, created=earlier, marker="owner/engine.1")
        assert not gone.alive()
        assert members(gone) == []
        gone.signal_group(signal.SIGTERM)
        assert signal_members(gone, signal.SIGTERM) == 0
        assert process.pid not in [one.pid for one in marked("other")]
        assert log.read_text() == "ready\n"
        assert process.poll() is None


@pytest.mark.parametrize("what", ["restored", "stopped"])
async def test_an_agent_leaves_it_alone(demo_models: Path, tmp_path: Path, what: str) -> None:
    log = tmp_path / "log"
    async with deck(demo_models, gateway=False) as host:
        engine = await host.deploy(changed())
        host.agent.kill()
        os.kill(engine.pid or 0, signal.SIGKILL)
        with stranger(log) as process:
            await eventually(lambda: log.read_text() == "ready\n")
            with host.agent.opened() as store:
                (key, record) = next(iter(store.all("engine", EngineRecord).items()))
                assert record.identity
                reused = msgspec.structs.replace(record.identity, pid=process.pid)
                place = "active" if what == "restored" else "leaving"
                store.put("engine", key, msgspec.structs.replace(record, identity=reused, place=place))
            await host.agent.start()
            again = await host.until("ready", generation=2)
            assert again.pid not in (engine.pid, process.pid)
            await host.stop()
            assert log.read_text() == "ready\n", "it was signalled"
            assert process.poll() is None
            assert psutil.Process(process.pid).status() != psutil.STATUS_STOPPED
