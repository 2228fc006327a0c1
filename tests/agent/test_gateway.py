"""The agent and its gateway, when another process takes the gateway's place."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from support.agents import agent
from support.deck import Deck, changed, deck
from support.processes import alive
from support.traffic import traffic
from support.waiting import eventually


def _gateways(host: Deck) -> list[psutil.Process]:
    """Leaders, those that only finish their answers among them."""
    return [one for one in host.agent.marked() if "quantdeck_gateway" in _argv(one)]


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def _pid(host: Deck) -> int:
    status = await host.when(lambda status: status.gateway and status.gateway.running)
    assert status.gateway
    assert status.gateway.pid
    return status.gateway.pid


async def _other_than(host: Deck, old: int) -> int:
    status = await host.when(lambda status: status.gateway and status.gateway.running and status.gateway.pid != old)
    assert status.gateway
    assert status.gateway.pid
    return status.gateway.pid


async def test_an_agent_follows_its_gateway(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 5000)
        async with traffic(host.gateway, users=4) as users:
            first = await _pid(host)
            os.kill(first, signal.SIGUSR2)
            second = await _other_than(host, first)
            await host.weight(2500)
            await users.more(10)
        assert users.failures == []
        assert [alarm.text for alarm in (await host.client.status()).alarms if "gateway" in alarm.text] == []
        # Nobody watches while it is upgraded once more, and the record that the agent has is of a process long gone.
        host.agent.kill()
        os.kill(second, signal.SIGUSR2)
        await eventually(lambda: (found := _gateways(host)) and [one.pid for one in found] != [second])
        await eventually(lambda: len(_gateways(host)) == 1)
        await host.agent.start()
        (third,) = (one.pid for one in _gateways(host))
        assert await _pid(host) == third
        assert (await host.state()).state.weight_bp == 2500


async def test_a_gateway_of_another_version_is_upgraded(demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with deck(demo_models) as host:
        old = await _pid(host)
        host.agent.kill()
        newer = host.agent.folder / "newer"
        newer.mkdir()
        (newer / "sitecustomize.py").write_text("import quantdeck_agent\nquantdeck_agent.__version__ = '99.0'\n")
        monkeypatch.setenv("PYTHONPATH", str(newer))
        await host.agent.start()
        new = await _other_than(host, old)
        await eventually(lambda: not psutil.pid_exists(old))
        # This one is of the old version too: it is not tried again and again.
        await host.when(lambda status: status.gateway.running)
        assert [one.pid for one in _gateways(host)] == [new]


async def test_all_of_it_ends_with_the_agent(demo_models: Path) -> None:
    reading, writing = os.pipe()
    async with agent(demo_models) as one:
        one.kill()
        one.arguments = ("--gateway", "127.0.0.1:0", "--gateway-workers", "2", "--lifeline-fd", str(reading))
        await one.start(pass_fds=(reading,))
        os.close(reading)
        found = one.marked()
        assert len(found) == 3, "leader, worker, analyser"
        os.kill(next(process.pid for process in found if "quantdeck_gateway" in _argv(process)), signal.SIGUSR2)
        await eventually(lambda: len(set(one.marked()) - set(found)) == 3)
        every = {*found, *one.marked()}
        os.close(writing)
        assert one.process
        await eventually(lambda: one.process.poll() is not None)
        await eventually(lambda: not alive(list(every)))
        assert one.marked() == []


async def test_the_access_log_that_an_agent_asks_for(demo_models: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with deck(demo_models, "--gateway-access-log", str(log)) as host:
        await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 0)
        async with traffic(host.gateway, users=1) as users:
            await users.more(2)
        await eventually(lambda: log.exists() and log.read_text().count('"variant":"control"') >= 2)
