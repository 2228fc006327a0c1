"""All experiments of a host, between the gateway's answers, the engines and the people who change weights."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from quantdeck_agent.engines.command import api_key
from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.controller import KIND, Controller, RollingBack
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.report import experiment_status
from quantdeck_agent.experiments.unsaved import Unsaved
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.hub import Hub
from quantdeck_agent.store import Store
from quantdeck_core.errors import ConflictError, NotFoundError, QuantdeckError
from quantdeck_core.protocol.gateway import AnswerRating, Arm, ExperimentRoute, Replica, Signal
from quantdeck_core.protocol.requests import Applied, ChangeWeight, ClearLatch, CreateExperiment, Rollback
from quantdeck_core.rollout.machine import LatchCleared, RollbackAsked, RolloutEvent, TreatmentFailed, WeightAsked
from quantdeck_core.rollout.state import RolloutState

PUBLISH_S = 1.0
NOT_ON_DISK = (
    "the rollback holds, but the disk refused to save it; it is tried again: make room before the agent restarts"
)


class Experiments:
    """The experiments of one gateway."""

    def __init__(self, store: Store, hub: Hub, runtime: Path) -> None:
        """`runtime`: where a rollback is kept that the disk of the state refuses."""
        self._store, self._hub, self._unsaved = store, hub, Unsaved(runtime)
        self._controllers = {
            name: Controller(record, store, self._unsaved) for name, record in store.all(KIND, ExperimentRecord).items()
        }
        self._router: Router | None = None
        self._engines: Engines | None = None

    def connect(self, engines: Engines, router: Router | None) -> None:
        """Engines and gateway ask for routes, and routes need engines: they are made first, then joined here."""
        self._engines, self._router = engines, router

    async def restore(self) -> None:
        """After a restart of the agent: judge the processes that serve now, and miss none that has died meanwhile."""
        for controller in self._controllers.values():
            self._start_generation(controller, time.time())
            await self._check_treatment(controller, time.time())

    # The split as it should be

    def routes(self) -> tuple[ExperimentRoute, ...]:
        """What the gateway should serve now."""
        return tuple(self.route(controller.record) for controller in self._controllers.values())

    def route(self, record: ExperimentRecord) -> ExperimentRoute:
        """One experiment's split."""
        return ExperimentRoute(
            name=record.name,
            served_name=record.served_name,
            weight_bp=record.state.weight_bp,
            control=self._arm(record.control),
            treatment=self._arm(record.treatment),
        )

    def _arm(self, engine: str) -> Arm:
        serving = self._serving(engine)
        replicas = tuple(
            Replica(name=one.key, url=one.url, api_key=api_key(one.profile), model=one.profile.upstream_model or None)
            for one in serving
        )
        return Arm(replicas=replicas, generation=_epoch(serving))

    def _serving(self, engine: str) -> tuple[EngineRecord, ...]:
        return self._engines.serving(engine) if self._engines else ()

    # What people ask

    async def create(self, ask: CreateExperiment) -> Applied:
        """Put two ready engines side by side at weight 0.

        Raises:
            ConflictError: the name is taken, there is no gateway, or the arms do not go together.
            NotFoundError: an engine that is not here.
        """
        if ask.name in self._controllers:
            raise ConflictError(
                f"An experiment {ask.name!r} exists already.", "Choose another name: it is in the hash."
            )
        if self._router is None:
            raise ConflictError("This host has no gateway.", "Start its agent with --gateway HOST:PORT.")
        arms = []
        for engine in (ask.control, ask.treatment):
            serving = self._serving(engine)
            if not serving:
                raise NotFoundError(f"No ready engine is called {engine!r} here.", "Deploy it first.")
            arms.append(serving[0].profile)
        if ask.control == ask.treatment or arms[0].served_name != arms[1].served_name:
            raise ConflictError(
                f"{ask.control} serves {arms[0].served_name!r} and {ask.treatment} {arms[1].served_name!r}.",
                "Two different engines with the same served_name make an experiment.",
            )
        now = time.time()
        record = ExperimentRecord(
            name=ask.name,
            served_name=arms[0].served_name,
            control=ask.control,
            treatment=ask.treatment,
            thresholds=ask.thresholds,
            state=RolloutState(by=ask.by, since=now),
        )
        controller = Controller(record, self._store, self._unsaved)
        with self._store.transaction():
            self._store.put(KIND, record.name, record)
            controller.note(now, "create", f"{ask.control} against {ask.treatment}, at 0 %", ask.by)
        self._controllers[record.name] = controller
        return await self._effect(controller, time.monotonic())

    async def change_weight(self, name: str, ask: ChangeWeight) -> Applied:
        """Set a weight.

        Raises:
            ConflictError: stale revision, rolled back, or an arm that should get users is not ready.
        """
        controller = self._controller(name)
        record = controller.record
        if ask.weight_bp > 0:
            self._require_ready(record.treatment, "treatment")
        if ask.weight_bp < 10_000:
            self._require_ready(record.control, "control")
        return await self._change(
            controller,
            WeightAsked(weight_bp=ask.weight_bp, revision=ask.revision, by=ask.by, reason=ask.reason),
        )

    async def roll_back(self, name: str, ask: Rollback) -> Applied:
        """Everyone back to the control, latched."""
        return await self._roll_back(self._controller(name), RollbackAsked(by=ask.by, reason=ask.reason))

    async def clear_latch(self, name: str, ask: ClearLatch) -> Applied:
        """Let the treatment start again.

        Raises:
            ConflictError: not rolled back, stale, or the treatment is not ready.
        """
        controller = self._controller(name)
        self._require_ready(controller.record.treatment, "treatment")
        return await self._change(controller, LatchCleared(revision=ask.revision, by=ask.by, reason=ask.reason))

    def _controller(self, name: str) -> Controller:
        controller = self._controllers.get(name)
        if controller is None:
            raise NotFoundError(f"No experiment is called {name!r} here.", "`quantdeck experiment list` shows them.")
        return controller

    def _require_ready(self, engine: str, role: str) -> None:
        if not self._serving(engine):
            raise ConflictError(f"The {role} {engine} is not ready.", "Deploy it again and wait until it is ready.")

    # What happens then

    async def _change(self, controller: Controller, event: RolloutEvent) -> Applied:
        began = time.monotonic()
        controller.apply(event, time.time())
        return await self._effect(controller, began)

    async def _effect(self, controller: Controller, began: float) -> Applied:
        """Tell the gateway. Where it cannot be told, the router goes on trying and this says so."""
        revision = controller.record.state.revision
        try:
            if self._router:
                await self._router.push()
        except QuantdeckError as error:
            self._publish(controller)
            return Applied(revision=revision, pending=True, detail=f"saved, not effective yet: {error.detail}")
        self._publish(controller)
        return Applied(revision=revision, effective_ms=round((time.monotonic() - began) * 1000, 2))

    async def _roll_back(
        self, controller: Controller, event: RollbackAsked | TreatmentFailed, detected: float | None = None
    ) -> Applied:
        """Persist, tell the gateway, alert. `detected`: UNIX time of the last byte that broke the limit."""
        began, before = time.monotonic(), controller.record.state
        transition = controller.apply(event, time.time())
        if transition.state != before:
            controller.rolling = RollingBack(decided=time.time(), detected=detected)
        applied = await self._effect(controller, began)
        if transition.alert:
            self._hub.alarm(time.time(), transition.alert.level, transition.alert.text, controller.record.name)
        if controller.unsaved:
            self._hub.alarm(time.time(), "fail", NOT_ON_DISK, controller.record.name)
            applied = msgspec.structs.replace(applied, detail=f"{NOT_ON_DISK} {applied.detail}".strip())
        return applied

    def settled(self) -> None:
        """The gateway has acknowledged what is wanted now."""
        for controller in self._controllers.values():
            if controller.settled(time.time()):
                self._publish(controller)

    # What the world does

    async def hear(self, signals: AsyncIterator[Signal]) -> None:
        """Judge every answer as it ends, and count how people rate them; runs until cancelled."""
        async for answer in signals:
            controller = self._controllers.get(answer.experiment)
            if controller is None:
                continue
            if isinstance(answer, AnswerRating):
                controller.rate(answer)
                continue
            verdict = controller.hear(answer)
            if verdict.kind == "breach" and controller.record.state.weight_bp > 0:
                await self._treatment_failed(controller, verdict.reason, answer.t)

    async def engine_switched(self, engine: str) -> None:
        """Another process serves under this name, or none does."""
        now = time.time()
        for controller in self._controllers.values():
            record = controller.record
            if engine not in (record.control, record.treatment):
                continue
            serving = self._serving(engine)
            keys = ", ".join(one.key for one in serving)
            text = f"{keys} serves {serving[0].profile.model}" if serving else f"{engine} is gone"
            controller.note(now, "engine", text, "quantdeck")
            self._start_generation(controller, now)
            if not await self._check_treatment(controller, now):
                await self._effect(controller, time.monotonic())

    async def _check_treatment(self, controller: Controller, now: float) -> bool:
        """Roll back where users are on a treatment that is gone; whether that was so."""
        record = controller.record
        gone = not self._serving(record.treatment) and record.state.weight_bp > 0
        if gone:
            await self._treatment_failed(controller, f"the treatment {record.treatment} is gone", now)
        return gone

    def _start_generation(self, controller: Controller, now: float) -> None:
        control, treatment = self._serving(controller.record.control), self._serving(controller.record.treatment)
        controller.start_generation(_epoch(control), _epoch(treatment), now)

    async def _treatment_failed(self, controller: Controller, reason: str, detected: float) -> None:
        control_ready = bool(self._serving(controller.record.control))
        if control_ready or not controller.paged:
            controller.paged = not control_ready
            event = TreatmentFailed(reason=reason, control_ready=control_ready)
            await self._roll_back(controller, event, detected)

    async def publish(self) -> None:
        """Tell watchers once a second; runs until cancelled."""
        while True:
            for controller in self._controllers.values():
                if controller.save_again():
                    self._hub.alarm(time.time(), "warn", "the rollback is on disk now", controller.record.name)
                self._publish(controller)
            await asyncio.sleep(PUBLISH_S)

    def _publish(self, controller: Controller) -> None:
        record = controller.record
        self._hub.put_experiment(
            experiment_status(
                controller,
                control=self._serving(record.control),
                treatment=self._serving(record.treatment),
                timeline=self._store.timeline(controller.subject),
                router=self._router,
                route=self.route(record),
                now=time.time(),
            )
        )


def _epoch(serving: tuple[EngineRecord, ...]) -> int:
    """What the answers of these replicas are judged as: the newest of what they serve."""
    return max((one.epoch for one in serving), default=0)
