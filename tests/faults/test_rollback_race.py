"""Fault 30: whoever raises the weight at the moment of a rollback, plan or person, the rollback latches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.requests import Applied, ChangeWeight, Rollback, SteerRollout
from quantdeck_core.rollout.events import TICK_S
from support.played_rollout import FIRST_BP, LONG_S, SECOND_BP, PlayedRollout, played_rollout, step

ROUNDS = 30


class Consoles:
    """Connections of their own: three people who want more, and one who has seen enough."""

    def __init__(self, it: PlayedRollout) -> None:
        self._it = it
        self._ahead = [it.host.agent.client() for _ in range(3)]
        self._back = it.host.agent.client()
        self.rises = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, it: PlayedRollout) -> AsyncIterator[Consoles]:
        """Until the end of the block."""
        one = cls(it)
        try:
            yield one
        finally:
            for client in (*one._ahead, one._back):
                await client.close()

    async def race(self, random: Random) -> None:
        """All of them at once, in any order."""
        revision = (await self._it.host.state()).state.revision
        asks = [self._promote(self._ahead[0], revision), self._promote(self._ahead[1], revision)]
        asks += [self._weight(self._ahead[2], revision), self.roll_back()]
        random.shuffle(asks)
        await asyncio.gather(*asks)

    async def _promote(self, client: AgentClient, revision: int) -> None:
        ask = SteerRollout(
            request_id=self._it.host.next_id(), by="ada", action="promote", revision=revision, reason="a race"
        )
        await self._risen(client.steer("e", ask))

    async def _weight(self, client: AgentClient, revision: int) -> None:
        ask = ChangeWeight(
            request_id=self._it.host.next_id(), by="bob", weight_bp=SECOND_BP, revision=revision, reason="a race"
        )
        await self._risen(client.change_weight("e", ask))

    async def _risen(self, ask: object) -> None:
        try:
            await ask  # type: ignore[misc]
        except RemoteError as error:
            assert error.status == 409  # noqa: PT017 - the others were first
        else:
            self.rises += 1

    async def roll_back(self) -> Applied:
        """Everyone back."""
        ask = Rollback(request_id=self._it.host.next_id(), by="eve", reason="it loops")
        applied = await self._back.roll_back("e", ask)
        assert not applied.pending, applied.detail
        return applied


async def _latched(it: PlayedRollout) -> None:
    """In the gateway's own words, and in the agent's."""
    route = await it.route()
    assert (route.latched, route.weight_bp, route.effective_weight_bp) == (True, 0, 0)
    state = (await it.host.state()).state
    assert (state.latched, state.weight_bp, state.by) == (True, 0, "eve")


async def test_people_who_want_more_race_a_rollback(demo_models: Path, tmp_path: Path) -> None:
    random = Random(30)
    async with played_rollout(demo_models, tmp_path) as it, Consoles.open(it) as consoles:
        await it.start(step(FIRST_BP, LONG_S), step(SECOND_BP, LONG_S))
        for _ in range(ROUNDS):
            await consoles.race(random)
            await _latched(it)
            await it.host.clear()
        assert consoles.rises > 0
        await it.host.roll_back("the end")


async def _about_to_rise(it: PlayedRollout) -> None:
    """A step was just taken: the next one comes a tick later."""
    before = (await it.route()).weight_bp
    async with asyncio.timeout(20):
        while (await it.route()).weight_bp <= max(before, 500):
            await asyncio.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_steps_of_a_plan_race_a_rollback(demo_models: Path, tmp_path: Path) -> None:
    random, seen = Random(31), set[int]()
    async with played_rollout(demo_models, tmp_path) as it, Consoles.open(it) as consoles, it.traffic() as users:
        await it.start(*(step(bp, 0.0) for bp in range(500, 9_501, 500)))
        for number in range(ROUNDS):
            if number % 2:
                await _about_to_rise(it)
                await asyncio.sleep(TICK_S + random.uniform(-0.1, 0.1))
            else:
                await asyncio.sleep(random.uniform(0.0, 2.0))
            await consoles.roll_back()
            await _latched(it)
            seen.add((await it.host.state()).state.from_bp)
            if number + 1 < ROUNDS:
                await it.host.clear()
        assert {500, 1000, 1500} <= seen, "before the first step, and before and after others"
        await users.more(100)
        await _latched(it)
        assert users.failures == []
