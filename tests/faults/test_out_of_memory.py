"""Fault 4: an engine that has no memory left: the reason is shown, and nobody is sent to it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from quantdeck_core.errors import RemoteError
from support.deck import changed, deck
from support.played_engine import PlayedEngine
from support.processes import session
from support.traffic import traffic

GONE_WITHIN_S = 5.0
GIB = 2**30


async def test_a_real_engine_that_cannot_allocate_says_why(demo_models: Path) -> None:
    async with deck(demo_models, gateway=False) as host:
        assert host.agent.process
        psutil.Process(host.agent.process.pid).rlimit(psutil.RLIMIT_AS, (3 * GIB, 3 * GIB))  # its engines inherit it
        with pytest.raises(RemoteError, match="ended"):
            await host.deploy(changed(serve_max_model_len=700_000), force=True)  # a KV cache of 6 GiB
        failed = await host.until("failed")
        assert failed.error
        log = (host.agent.folder / "state" / "logs" / "engine-engine.1.log").read_text()
        assert "alloc" in log, "this engine ended for another reason"
        assert (failed.error.code, bool(failed.error.hint)) == ("host-out-of-memory", True)
        assert not host.agent.marked()


async def test_an_engine_that_runs_out_while_it_loads_says_so(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(eats=True)
    async with deck(demo_models, gateway=False) as host:
        with pytest.raises(RemoteError, match="ran out of memory"):
            await host.deploy(played.profile())
        failed = await host.until("failed")
        assert failed.error
        assert (failed.error.code, bool(failed.error.hint)) == ("host-out-of-memory", True)
        assert not host.agent.marked()


async def test_an_engine_killed_while_it_loads_fails_its_deployment(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    played.plays(load_s=10_000)
    async with deck(demo_models, gateway=False) as host:
        applied = await host.begin(played.profile())
        engine = (await host.when(lambda status: status.engines and status.engines[0].pid)).engines[0]
        os.kill(engine.pid or 0, signal.SIGKILL)
        operation = await host.end(applied.operation)
        assert operation.state == "failed"
        assert operation.error
        assert "ended while loading" in operation.error.detail


async def test_users_of_an_engine_that_the_kernel_ended_are_elsewhere_within_5_s(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        await host.deploy(changed(), "control")
        engine = await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 5000)
        async with traffic(host.gateway) as users:
            began = time.monotonic()
            for process in session(engine.pid or 0):
                process.kill()  # as the kernel's OOM killer does
            status = await host.when(
                lambda status: status.experiments[0].state.weight_bp == 0 and status.experiments[0].effective,
                GONE_WITHIN_S,
            )
            took = time.monotonic() - began
            failed = len(users.failures)
            await users.more(20)
            assert len(users.failures) == failed, "after that nobody gets an error"
        print(f"\nweight 0 after {took:.2f} s, {failed} requests failed until then")
        experiment = status.experiments[0]
        assert experiment.state.latched
        assert "treatment is gone" in experiment.state.reason
        assert any("treatment ended by itself" in alarm.text for alarm in status.alarms)
        await host.until("ready", "treatment", generation=2)
        assert (await host.state()).state.weight_bp == 0, "it comes back, and its users do not by themselves"
