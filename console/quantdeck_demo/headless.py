"""The demo without a terminal: the same parts, a fixed course, and figures at the end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event, ExperimentEvent, Snapshot
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import ChangeWeight
from quantdeck_demo.report import Report
from quantdeck_demo.setup import BY, EXPERIMENT, RACK, Progress, Stage, damage
from quantdeck_demo.split_check import SplitCheck, lesson_variant
from quantdeck_demo.traffic import USERS, Traffic

FIRST_BP, SECOND_BP = 1_000, 5_000
FIRST_UNTIL, SECOND_UNTIL, DAMAGED_UNTIL = 0.35, 0.55, 0.95
"""Shares of the run's time: at 10 %, at 50 %, damaged. What is left is for looking at the control alone."""
CONNECT_DEADLINE_S = 30.0


class FalseAlarmError(QuantdeckError):
    """The healthy treatment was rolled back."""

    code = "false-alarm"
    title = "False alarm"


class Course:
    """One headless run. It sees what a console sees, and nothing else."""

    def __init__(self, stage: Stage, traffic: Traffic, check: SplitCheck, seconds: float, say: Progress) -> None:
        self._stage, self._traffic, self._check = stage, traffic, check
        self._seconds, self._say = seconds, say
        self._fleet = SshFleet(stage.fleet)
        self._connected: set[str] = set()
        self._experiment: ExperimentStatus | None = None
        self._news = asyncio.Event()
        self.report = Report()

    async def run(self) -> Report:
        """Drive the whole course; the report says what held."""
        watching = asyncio.create_task(self._fleet.run(self._hear))
        asking = asyncio.create_task(self._traffic.run())
        try:
            await self._drive()
        except TimeoutError:
            self.report.trouble = "the time was up before the course was through"
        except QuantdeckError as error:
            self.report.trouble = error.detail
        finally:
            watching.cancel()
            asking.cancel()
            await asyncio.gather(watching, asking, return_exceptions=True)
            self._count()
        return self.report

    def _hear(self, host: str, update: Event | LinkChange) -> None:
        if isinstance(update, LinkChange):
            (self._connected.add if update.state == "connected" else self._connected.discard)(host)
        elif isinstance(update, ExperimentEvent):
            self._experiment = update.experiment
        elif isinstance(update, Snapshot) and update.status.experiments:
            self._experiment = update.status.experiments[0]
        if self._experiment and self._experiment.state.latched:
            self._check.settled(0)
        self._news.set()

    async def _drive(self) -> None:
        await self._until(lambda: len(self._connected) == 2 and self._experiment is not None, CONNECT_DEADLINE_S)
        self.report.hosts = len(self._connected)
        began = time.monotonic()

        def left_until(share: float) -> float:
            return max(0.0, began + share * self._seconds - time.monotonic())

        await self._weight(FIRST_BP)
        await self._hold(left_until(FIRST_UNTIL))
        self._measure_split()
        await self._weight(SECOND_BP)
        await self._hold(left_until(SECOND_UNTIL))
        self.report.verdict_before = self._state().verdict.reason
        self._say("damaging the treatment: a broken checkpoint takes its place")
        self._check.changing_to(0)
        await damage(self._stage)
        await self._until(lambda: self._state().state.latched, left_until(DAMAGED_UNTIL))
        self._rolled_back()
        await asyncio.sleep(left_until(1.0))

    def _state(self) -> ExperimentStatus:
        if self._experiment is None:
            raise TimeoutError
        return self._experiment

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _hold(self, seconds: float) -> None:
        """Let traffic run; a rollback now would be a false alarm."""
        try:
            await self._until(lambda: self._state().state.latched, seconds)
        except TimeoutError:
            return
        raise FalseAlarmError(f"the healthy treatment was rolled back: {self._state().state.reason}")

    async def _weight(self, weight_bp: int) -> None:
        self._say(f"weight to {weight_bp / 100:g} %")
        self._check.changing_to(weight_bp)
        change = ChangeWeight(
            request_id=uuid.uuid4().hex, by=BY, weight_bp=weight_bp, revision=self._state().state.revision
        )
        asked = time.perf_counter()
        applied = await self._fleet.ask(RACK, lambda client: client.change_weight(EXPERIMENT, change))
        took = (time.perf_counter() - asked) * 1000
        if applied.effective_ms is not None:
            self._check.settled(weight_bp)
            self.report.weight_change_ms = round(max(took, self.report.weight_change_ms or 0.0), 1)

    def _measure_split(self) -> None:
        seen = self._traffic.arms_seen[FIRST_BP]
        expected = sum(lesson_variant(EXPERIMENT, user, FIRST_BP / 10_000) == "treatment" for user in USERS)
        self.report.split_expected = expected / len(USERS)
        if len(seen) == len(USERS):
            self.report.split_measured = sum(arm == "treatment" for arm in seen.values()) / len(USERS)

    def _rolled_back(self) -> None:
        rollback = self._state().last_rollback
        state = self._state().state
        self.report.rolled_back = state.by == "quantdeck" and state.weight_bp == 0
        self.report.rollback_reason = state.reason
        if rollback:
            self.report.outputs_to_detection = rollback.outputs
            self.report.detection_to_zero_ms = rollback.detection_to_zero_ms
        self._say(f"rolled back: {state.reason}")

    def _count(self) -> None:
        traffic, report = self._traffic, self.report
        report.requests = traffic.requests
        report.errors = dict(traffic.errors)
        report.answers = dict(traffic.answers)
        report.split_mismatches = len(self._check.mismatched)
        report.streams_broken = traffic.streams_broken
