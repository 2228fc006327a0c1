"""The agent is killed (-9) at any moment of a plan: no soak is cut short, nothing that it acknowledged is forgotten."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.requests import Applied
from support.played_rollout import FIRST_BP, LONG_S, SECOND_BP, PlayedRollout, played_rollout, step
from support.traffic import Traffic

KILLS = 15
SOAK_S = 15.0
SLACK_S = 1.0
"""The plan's first tick at a weight comes before anybody sees that weight."""


class Watcher:
    """Holds what is told of the plan against what a clock and the users say."""

    def __init__(self, it: PlayedRollout, users: Traffic) -> None:
        self._it, self._users = it, users
        self._began, self._before = time.monotonic(), users.by_variant["treatment"]

    async def look(self) -> None:
        """Neither seconds nor answers are more than there were."""
        now = await self._it.progress()
        assert now.soaked_s <= time.monotonic() - self._began + SLACK_S
        # One request of each user may have been answered and not be counted here yet.
        assert now.outputs <= self._users.by_variant["treatment"] - self._before + 10


async def _asked_and_killed(it: PlayedRollout, random: Random, paused: bool) -> tuple[Applied | None, bool]:
    """Pause or resume, and kill the agent meanwhile or right after; its answer, where there was one."""

    async def ask() -> Applied | None:
        try:
            return await it.steer("resume" if paused else "pause", "a test")
        except UnreachableError:
            return None

    asking = asyncio.create_task(ask())
    await asyncio.sleep(random.uniform(0.0, 0.05))
    it.host.agent.kill()
    return await asking, not paused


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_kills_at_any_moment_of_a_plan(demo_models: Path, tmp_path: Path) -> None:
    random, acknowledged = Random(15), 0
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, SOAK_S, 100), step(SECOND_BP, LONG_S))
        await it.at(FIRST_BP)
        watcher = Watcher(it, users)
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.0, 2.5))
            await watcher.look()
            paused = (await it.progress()).phase == "paused"
            applied, wanted = await _asked_and_killed(it, random, paused)
            await it.host.agent.start()
            after = await it.progress()
            if applied:
                acknowledged += 1
                assert (after.phase == "paused") == wanted
                assert (await it.host.state()).state.revision >= applied.revision
            await watcher.look()
            assert (await it.route()).weight_bp == FIRST_BP
        assert acknowledged > 0
        if (await it.progress()).phase == "paused":
            await it.steer("resume")
        # From here on nobody does anything.
        await watcher.look()
        while (await it.host.state()).state.weight_bp == FIRST_BP:
            await watcher.look()
            await asyncio.sleep(0.2)
        assert (await it.host.state()).state.weight_bp == SECOND_BP
        assert users.failures == []
