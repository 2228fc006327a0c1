"""Canaries of all experiments: on a schedule, after each start of an engine, and when somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable

from quantdeck_agent.canaries.arm import ArmRun, CanaryLimits
from quantdeck_agent.canaries.memory import CanaryMemory
from quantdeck_agent.canaries.target import CanaryTarget, LoadOf, Names, TargetOf
from quantdeck_agent.store import Store
from quantdeck_core.canary.judge import judge_canary
from quantdeck_core.canary.report import CanaryReport, unavailable
from quantdeck_core.canary.sample import ArmSample
from quantdeck_core.errors import NotFoundError, QuantdeckError
from quantdeck_core.protocol.canary import CanaryState
from quantdeck_core.protocol.gateway import VariantName

JITTER = 0.1
"""Of the period: hosts that were started together do not ask one external engine at the same moment for ever."""
TICK_S = 1.0
Told = Callable[[str, CanaryReport], Awaitable[None]]
log = logging.getLogger("quantdeck.agent")


class CanaryRunner:
    """Runs one canary at a time.

    Args:
        load: users go first.
        told: hears of every report as soon as it is kept.
        turn: held while engines are asked; shared with whatever else asks them.
    """

    def __init__(
        self,
        store: Store,
        names: Names,
        target: TargetOf,
        load: LoadOf,
        told: Told,
        turn: asyncio.Lock,
        limits: CanaryLimits | None = None,
    ) -> None:
        self._names, self._target, self._load, self._told = names, target, load, told
        self._turn, self._limits = turn, limits or CanaryLimits()
        self._memory = CanaryMemory(store)
        self._due: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[CanaryReport]] = {}
        self._runs: dict[str, int] = {}

    # What is known

    def report(self, experiment: str) -> CanaryReport | None:
        """The last one, whichever engines it was of."""
        found = self._memory.of(experiment)
        return found.last if found else None

    def current(self, experiment: str) -> CanaryReport | None:
        """The last one that says something of the engines that serve now; what a rollout may go by."""
        found, target = self._memory.of(experiment), self._target(experiment)
        judged = found.judged if found else None
        return judged if judged and target and _is_of(judged, target) else None

    def state(self, experiment: str) -> CanaryState:
        """For people."""
        return CanaryState(
            running=experiment in self._running,
            runs=self._runs.get(experiment, 0),
            report=self.report(experiment),
            current=self.current(experiment) is not None and self.current(experiment) == self.report(experiment),
        )

    # What is done

    def engine_changed(self, experiment: str) -> None:
        """Another process serves an arm: it is asked as soon as it can be."""
        self._due[experiment] = 0.0

    def forget(self, experiment: str) -> None:
        """The experiment is gone."""
        self._due.pop(experiment, None)
        self._memory.forget(experiment)

    async def run_now(self, experiment: str, *, fresh: bool = False) -> CanaryReport:
        """Ask now, or wait for the run that is under way.

        Args:
            fresh: what the arms said before counts no more.

        Raises:
            NotFoundError: there is no such experiment.
        """
        return await asyncio.shield(self.begin(experiment, fresh=fresh))

    def begin(self, experiment: str, *, fresh: bool = False) -> asyncio.Task[CanaryReport]:
        """As `run_now`, without waiting for it."""
        if self._target(experiment) is None:
            raise NotFoundError(
                f"No experiment is called {experiment!r} here.", "`quantdeck experiment list` shows them."
            )
        if fresh:
            self._memory.forget_past(experiment)
        task = self._running.get(experiment)
        if task is None:
            task = self._running[experiment] = asyncio.create_task(
                self._run(experiment), name=f"canary of {experiment}"
            )
        return task

    async def keep(self) -> None:
        """Run what is due; until cancelled."""
        try:
            while True:
                for name in tuple(self._names()):
                    if name not in self._due:
                        self._schedule(name, first=True)
                    if time.monotonic() >= self._due[name] and name not in self._running and self._ready(name):
                        with contextlib.suppress(NotFoundError):
                            await asyncio.wait([self.begin(name)])
                await asyncio.sleep(TICK_S)
        finally:
            await self.close()

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ready(self, experiment: str) -> bool:
        target = self._target(experiment)
        return target is not None and bool(target.control and target.treatment)

    def _schedule(self, experiment: str, *, first: bool = False) -> None:
        target = self._target(experiment)
        if target is None:
            return
        period = target.settings.every_s()
        # After a restart of the agent nothing is known to have changed: what it knows of these engines still holds.
        known = self.current(experiment) if first else None
        wait = period * random.uniform(1 - JITTER, 1 + JITTER)
        if first:
            wait = max(0.0, wait - (time.time() - known.at)) if known else 0.0
        self._due[experiment] = time.monotonic() + min(wait, 1.1 * period)

    async def _run(self, experiment: str) -> CanaryReport:
        self._due.pop(experiment, None)
        try:
            async with self._turn:
                report = await self._ask(experiment)
        except Exception as error:
            log.exception("the canary of %s failed", experiment)
            report = unavailable(
                f"The agent failed at it: {type(error).__name__}.",
                time.time(),
                hint="Its log says more; please report it.",
            )
        finally:
            del self._running[experiment]
        self._memory.put(experiment, report)
        self._runs[experiment] = self._runs.get(experiment, 0) + 1
        if experiment not in self._due:  # else an engine was changed meanwhile
            self._schedule(experiment)
        try:
            await self._told(experiment, report)
        except QuantdeckError as error:
            log.warning("what the canary of %s found could not be acted on: %s", experiment, error.detail)
        return report

    async def _ask(self, experiment: str) -> CanaryReport:
        target = self._target(experiment)
        if target is None or not (target.control and target.treatment):
            missing = "control" if target and not target.control else "treatment"
            return unavailable(
                f"The {missing} is not ready.", time.time(), hint="Deploy it and wait until it is ready."
            )
        prompts = target.settings.prompt_set()

        async def one(variant: VariantName) -> ArmSample:
            replicas = target.arm(variant)
            # Another replica each time: one of them alone may be damaged.
            replica = replicas[self._runs.get(experiment, 0) % len(replicas)]
            return await ArmRun(replica, lambda: self._load(experiment, variant), self._limits).sample(prompts)

        # One arm after the other: both may be on one machine, beside users.
        control, treatment = await one("control"), await one("treatment")
        after = self._target(experiment)
        if after is None or _epochs(after) != _epochs(target):
            self._due[experiment] = 0.0
            return unavailable("An engine was replaced while it was asked.", time.time(), hint="It is asked again.")
        past = self._memory.past(experiment)
        report = judge_canary(control, treatment, target.settings, now=time.time(), past=past)
        if report.outcome == "passed":
            self._memory.passed(experiment, (control, treatment))
        return report


def _epochs(target: CanaryTarget) -> tuple[int, int]:
    return target.epoch("control"), target.epoch("treatment")


def _is_of(report: CanaryReport, target: CanaryTarget) -> bool:
    return bool(target.control and target.treatment) and report.is_of(*_epochs(target))
