"""All experiments of a host, between the gateway's answers, the engines and the people who change weights."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.controller import KIND, Controller, RollingBack
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.report import experiment_status
from quantdeck_agent.experiments.route import epoch_of, experiment_route
from quantdeck_agent.experiments.unsaved import Unsaved
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.gateway.signals import AnswerFeed
from quantdeck_agent.hub import Hub
from quantdeck_agent.store import Store
from quantdeck_core.errors import ConflictError, NotFoundError, QuantdeckError
from quantdeck_core.protocol.gateway import AnswerRating, ExperimentRoute, Signal
from quantdeck_core.protocol.requests import Applied, ChangeWeight, ClearLatch, CreateExperiment, Rollback
from quantdeck_core.rollout.machine import (
    SYSTEM,
    LatchCleared,
    RollbackAsked,
    RolloutEvent,
    Transition,
    TreatmentFailed,
    WeightAsked,
)
from quantdeck_core.rollout.state import RolloutState

PUBLISH_S = 1.0
STUCK_S = 10.0
"""A judge that ponders one answer for longer is no judge."""
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
        self._feed: AnswerFeed | None = None
        self._judging_since: float | None = None

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
        return experiment_route(record, self._serving(record.control), self._serving(record.treatment))

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
            traffic=ask.traffic,
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
        began = time.monotonic()
        transition = _decide_rollback(controller, event, detected)
        applied = await self._effect(controller, began)
        self._announce(controller, transition)
        if controller.unsaved:
            applied = msgspec.structs.replace(applied, detail=f"{NOT_ON_DISK} {applied.detail}".strip())
        return applied

    def _announce(self, controller: Controller, transition: Transition) -> None:
        if transition.alert:
            self._hub.alarm(time.time(), transition.alert.level, transition.alert.text, controller.record.name)
        if controller.unsaved:
            self._hub.alarm(time.time(), "fail", NOT_ON_DISK, controller.record.name)

    def latched_elsewhere(self, experiment: str) -> None:
        """Somebody has latched it on the gateway itself: that is a rollback, and the router tells the gateway so."""
        controller = self._controllers.get(experiment)
        if controller is None or controller.record.state.latched:
            return
        event = RollbackAsked(by="gateway", reason="latched over the gateway's control socket")
        self._announce(controller, _decide_rollback(controller, event, None))
        self._publish(controller)

    def lapse_ended(self, experiment: str, seconds: float) -> None:
        """The gateway had no judge for so long; now it has this one."""
        text = (
            f"nobody judged it: for {seconds:.0f} s the gateway kept everyone on the control as long as that was "
            "healthy; the weight holds again"
        )
        self._hub.alarm(time.time(), "warn", text, experiment)
        controller = self._controllers.get(experiment)
        if controller:
            controller.note(time.time(), "lease", text, SYSTEM)

    def settled(self) -> None:
        """The gateway has acknowledged what is wanted now."""
        for controller in self._controllers.values():
            if controller.settled(time.time()):
                self._publish(controller)

    # What the world does

    async def hear(self, feed: AnswerFeed) -> None:
        """Judge every answer as it ends, and count how people rate them; runs until cancelled."""
        self._feed = feed
        async for signal in feed.signals():
            self._judging_since = time.monotonic()
            await self._heard(signal)
            self._judging_since = None

    async def _heard(self, signal: Signal) -> None:
        controller = self._controllers.get(signal.experiment)
        if controller is None:
            return
        if isinstance(signal, AnswerRating):
            controller.rate(signal)
            return
        verdict = controller.hear(signal)
        if verdict.kind == "breach" and controller.record.state.weight_bp > 0:
            await self._treatment_failed(controller, verdict.reason, signal.t)

    def judged(self) -> tuple[str, ...]:
        """Experiments that are judged now: their answers are heard, and none has been pondered for too long."""
        since = self._judging_since
        if self._feed is None or not self._feed.connected:
            return ()
        if since is not None and time.monotonic() - since > STUCK_S:
            return ()
        return tuple(self._controllers)

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
        controller.start_generation(epoch_of(control), epoch_of(treatment), now)

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


def _decide_rollback(
    controller: Controller, event: RollbackAsked | TreatmentFailed, detected: float | None
) -> Transition:
    before = controller.record.state
    transition = controller.apply(event, time.time())
    if transition.state != before:
        controller.rolling = RollingBack(decided=time.time(), detected=detected)
    return transition
