"""A rollout between two engines that answer what a test tells them, under users who ask all the time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_console.link.alert_client import AlertClient
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.hashing import is_treated
from quantdeck_core.protocol.alerts import Page
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.gateway import RouteStatus
from quantdeck_core.protocol.requests import Applied, CreateExperiment, StartRollout, SteerRollout
from quantdeck_core.rollout.plan import PlanGate, PlanStep, RolloutPlan
from quantdeck_core.rollout.progress import RolloutProgress
from support.deck import Deck, deck
from support.played_engine import PlayedEngine
from support.traffic import Traffic, traffic

FIRST_BP, SECOND_BP = 1_000, 5_000
LONG_S = 3_600.0
"""Of soak, where a test is over long before."""
GOOD = "The engine answers the question in one plain sentence, says why that is so, and then it stops."
LOOP = "and so on and on it goes " * 40


def step(weight_bp: int, soak_s: float = 1.0, min_outputs: int = 0) -> PlanStep:
    """One step of a plan."""
    return PlanStep(weight_bp=weight_bp, soak_s=soak_s, min_outputs=min_outputs)


def users(treated: int = 2, untreated: int = 2) -> list[str]:
    """Names: some are on the treatment from its first step on, the others only above the second."""
    names = [f"user-{number}" for number in range(1_000)]
    early = (name for name in names if is_treated("e", name, 500))
    late = (name for name in names if not is_treated("e", name, SECOND_BP))
    return [*itertools.islice(early, treated), *itertools.islice(late, untreated)]


def says(text: str) -> dict[str, Any]:
    """What a played engine is to play, to answer this."""
    choice = {"text": text, "finish_reason": "stop"}
    return {"answer": json.dumps({"choices": [choice], "usage": {"prompt_tokens": 4, "completion_tokens": 20}})}


@dataclass
class PlayedRollout:
    """An experiment `e` of two played engines, `control` and `treatment`."""

    host: Deck
    control: PlayedEngine
    treatment: PlayedEngine

    async def start(self, *steps: PlanStep, missing_deadline_s: float = 300.0) -> None:
        """Begin a plan that asks neither for a canary nor for a latency profile."""
        plan = RolloutPlan(
            name="plan",
            experiment="e",
            steps=steps,
            missing_deadline_s=missing_deadline_s,
            gate=PlanGate(canary=False, latency_profile=False),
            skip_soak_reason="a test has no day",
        )
        revision = (await self.host.state()).state.revision
        ask = StartRollout(request_id=self.host.next_id(), by="test", plan=plan, revision=revision)
        await self.host.client.start_rollout("e", ask)

    async def steer(self, action: Any, reason: str = "") -> Applied:
        """Pause, resume, promote or abort it."""
        revision = (await self.host.state()).state.revision
        ask = SteerRollout(request_id=self.host.next_id(), by="test", action=action, revision=revision, reason=reason)
        return await self.host.client.steer("e", ask)

    async def progress(self) -> RolloutProgress:
        """Where the plan stands now."""
        return await self.host.client.rollout("e")

    async def progress_when(
        self, condition: Callable[[RolloutProgress], object], seconds: float = 20.0
    ) -> RolloutProgress:
        """Where the plan stands once the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition(now := await self.progress()):
                await asyncio.sleep(0.05)
        return now

    async def when(self, condition: Callable[[ExperimentStatus], object], seconds: float = 20.0) -> ExperimentStatus:
        """The experiment once the condition holds."""
        status = await self.host.when(lambda one: one.experiments and condition(one.experiments[0]), seconds)
        return status.experiments[0]

    async def at(self, weight_bp: int, seconds: float = 20.0) -> ExperimentStatus:
        """The experiment once it has this weight."""
        return await self.when(lambda one: one.state.weight_bp == weight_bp, seconds)

    async def route(self) -> RouteStatus:
        """What the gateway itself says."""
        control = GatewayControl(self.host.agent.folder / "run" / "gateway.sock")
        try:
            return (await control.status()).routes[0]
        finally:
            control.close()

    async def pages(self) -> tuple[Page, ...]:
        """What a person was woken for, and is still."""
        client = AlertClient("test", httpx.AsyncHTTPTransport(uds=str(self.host.agent.socket())))
        try:
            return (await client.alerts()).pages
        finally:
            await client.close()

    async def paged(self, word: str, seconds: float = 10.0) -> Page:
        """The page with this word, once there is one."""
        async with asyncio.timeout(seconds):
            while not (found := [one for one in await self.pages() if word in f"{one.key} {one.text}"]):
                await asyncio.sleep(0.05)
        return found[-1]

    def analyser(self) -> psutil.Process:
        """The process that judges answers."""
        found = [one for one in self.host.agent.marked() if "quantdeck_gateway.analyser" in one.cmdline()]
        assert len(found) == 1
        return found[0]

    @contextlib.asynccontextmanager
    async def traffic(self, treated: int = 2, untreated: int = 2) -> AsyncIterator[Traffic]:
        """Users of both arms, until the end of the block."""
        async with traffic(self.host.gateway, users(treated, untreated), streams=False) as seen:
            yield seen


@contextlib.asynccontextmanager
async def played_rollout(models: Path, folder: Path, *arguments: str) -> AsyncIterator[PlayedRollout]:
    """Two played engines side by side at 0 %."""
    async with deck(models, *arguments) as host:
        one = PlayedRollout(host, PlayedEngine(folder / "control"), PlayedEngine(folder / "treatment"))
        for name, engine in (("control", one.control), ("treatment", one.treatment)):
            engine.plays(**says(GOOD))
            await host.deploy(engine.profile(), name)
        ask = CreateExperiment(
            request_id=host.next_id(),
            by="test",
            name="e",
            control="control",
            treatment="treatment",
            # Few users ask much.
            thresholds=Thresholds(user_limit=0),
            canary=CanarySettings(prompts=("What is the time?",), every="9d"),
        )
        await host.client.create_experiment(ask)
        yield one
