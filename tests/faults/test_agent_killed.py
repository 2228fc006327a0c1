"""Faults 1 and 2: the agent is killed (-9) at any moment; engines, users and what was asked go on."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.protocol.requests import Stop
from support.deck import Deck, changed, deck
from support.played_engine import PlayedEngine
from support.processes import alive, identity, session, signal_all
from support.traffic import Traffic, traffic
from support.waiting import eventually

WEIGHT_BP = 5000


async def begins(host: Deck, played: PlayedEngine) -> str:
    """A deployment that is going to load for as long as the test wants."""
    played.plays(load_s=10_000)
    return (await host.begin(played.profile(), "slow")).operation


async def test_a_deploy_goes_on_after_kills_at_each_of_its_steps(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with deck(demo_models, gateway=False) as host:
        operation = await begins(host, played)
        await host.agent.again()  # acknowledged a moment ago
        engine = (await host.when(lambda status: status.engines and status.engines[0].pid)).engines[0]
        before = identity(engine)
        await host.agent.again()  # started
        for moment in ("state/agent.lock", "run/operator.sock", "run/agent.json"):  # of the next agent's own start
            host.agent.kill()
            (host.agent.folder / moment).unlink(missing_ok=True)
            await host.agent.start(ready=False)
            await eventually((host.agent.folder / moment).exists, what=moment)
        await host.agent.again()
        await host.until("starting", "slow")
        played.plays(hangs=True)
        await host.until("probing", "slow")
        await host.agent.again()  # while the first token is waited for
        await host.until("probing", "slow")
        played.plays()
        assert (await host.end(operation)).state == "done"
        await host.agent.again()  # ready
        assert identity(await host.until("ready", "slow")) == before
        assert len(host.agent.marked()) == 1
        await host.untouched("slow")


class Killing:
    """Kills and starts the agent again and again while users ask."""

    def __init__(self, host: Deck, users: Traffic) -> None:
        self.host, self.users = host, users
        self.kills = 0
        self.longest_s = 0.0

    async def once(self) -> None:
        """Kill it; the next one must be up soon."""
        began = time.monotonic()
        await self.host.agent.again()
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.kills += 1

    def report(self) -> None:
        """Print the figures."""
        print(
            f"\n{self.kills} kills, {self.users.answered} answers, {len(self.users.failures)} failed requests, "
            f"at most {self.longest_s:.1f} s until the next agent was ready"
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_hundred_kills_under_load_and_during_a_deploy(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with deck(demo_models) as host:
        control = identity(await host.deploy(changed(), "control"))
        treatment = identity(await host.deploy(changed("demo-q8"), "treatment"))
        await host.experiment("control", "treatment", WEIGHT_BP)
        async with traffic(host.gateway, users=4) as users:
            killing = Killing(host, users)
            operation = await begins(host, played)
            for _ in range(50):
                await killing.once()
            loading = identity(await host.engine("slow"))
            played.plays()
            assert (await host.end(operation)).state == "done"
            for _ in range(50):
                await killing.once()
            await users.more(5)
        killing.report()
        assert users.failures == []
        assert users.by_variant.keys() == {"control", "treatment"}
        assert (await host.state()).state.weight_bp == WEIGHT_BP
        for name, before in (("control", control), ("treatment", treatment), ("slow", loading)):
            assert identity(await host.until("ready", name)) == before
            await host.untouched(name)
        assert len(host.agent.engines()) == 3


@pytest.mark.soak
@pytest.mark.timeout(500)
async def test_kills_every_few_seconds_for_five_minutes(demo_models: Path) -> None:
    random = Random(4)
    async with deck(demo_models) as host:
        control = identity(await host.deploy(changed(), "control"))
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", WEIGHT_BP)
        generation = (await host.engine("treatment")).generation
        async with traffic(host.gateway) as users:
            killing = Killing(host, users)
            until = time.monotonic() + 300
            while time.monotonic() < until:
                # A replacement of the treatment is always under way somewhere when the agent dies.
                operation = (await host.begin(changed("demo-q8"), "treatment", replace=True)).operation
                await asyncio.sleep(random.uniform(0, 2))
                await killing.once()
                ended = await host.end(operation)
                assert ended.state == "done", ended.error
                generation += 1
                await asyncio.sleep(random.uniform(0, 2))
        killing.report()
        assert users.failures == []
        assert (await host.until("ready", "treatment")).generation == generation
        assert identity(await host.until("ready", "control")) == control
        await host.untouched("control")


async def test_a_stop_that_was_persisted_is_carried_out_by_the_next_agent(demo_models: Path) -> None:
    async with deck(demo_models) as host:
        engine = await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment")
        assert engine.pid
        processes = session(engine.pid)
        async with httpx.AsyncClient(base_url=host.gateway, trust_env=False, timeout=30) as http:
            body = {"model": "assistant", "prompt": "the", "max_tokens": 30, "stream": True}
            async with http.stream("POST", "/v1/completions", json=body) as response:
                lines = response.aiter_lines()
                await anext(lines)
                signal_all(processes, signal.SIGSTOP)  # an answer that takes long: the stop waits for its end
                stopping = await host.client.stop("control", Stop(request_id=host.next_id(), by="test"))
                await host.until("draining", "control")
                await host.agent.again()
                assert alive(processes), "its user is still being answered"
                signal_all(processes, signal.SIGCONT)
                assert [line async for line in lines][-2:] == ["data: [DONE]", ""]
        assert (await host.end(stopping.operation)).state == "done"
        assert not alive(processes)
        await host.agent.again()
        assert [one.name for one in (await host.client.status()).engines] == ["treatment"]


async def test_a_process_whose_record_was_not_written_yet_is_found(demo_models: Path, tmp_path: Path) -> None:
    """Between a process's start and its record there is a moment: no agent may start a second one then."""
    played = PlayedEngine(tmp_path / "played")
    async with deck(demo_models, gateway=False) as host:
        operation = await begins(host, played)
        engine = (await host.when(lambda status: status.engines and status.engines[0].pid)).engines[0]
        host.agent.kill()
        with host.agent.opened() as store:
            for key, record in store.all("engine", EngineRecord).items():
                store.put("engine", key, msgspec.structs.replace(record, identity=None))
        await host.agent.start()
        played.plays()
        assert (await host.end(operation)).state == "done"
        assert identity(await host.until("ready", "slow")) == identity(engine)
        assert len(host.agent.marked()) == 1
