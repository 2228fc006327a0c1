"""What the world does to experiments: answers end, engines come and go, time passes."""

from __future__ import annotations

import asyncio
import time

from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.gates import Gatekeeper
from quantdeck_agent.experiments.hearing import Hearing
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.rehearsals import Rehearsals
from quantdeck_agent.experiments.retire import retire
from quantdeck_agent.experiments.safety import Safety
from quantdeck_agent.gateway.signals import AnswerFeed
from quantdeck_core.protocol.signals import AnswerRating, Signal
from quantdeck_core.rollout.events import TICK_S, RollbackAsked, Tick, TreatmentFailed
from quantdeck_core.rollout.progress import progress


class Watch:
    """Judges every answer, and moves rollouts on."""

    def __init__(
        self,
        registry: Registry,
        effects: Effects,
        hearing: Hearing,
        gates: Gatekeeper,
        rehearsals: Rehearsals,
        safety: Safety,
    ) -> None:
        self._registry, self._effects, self._hearing = registry, effects, hearing
        self._gates, self._rehearsals, self._safety = gates, rehearsals, safety

    async def restore(self) -> None:
        """After a restart of the agent: judge the processes that serve now, and miss none that has died meanwhile."""
        now = time.time()
        self._safety.restore()
        for controller in self._registry:
            self._registry.start_generation(controller, now)
            await self._check_treatment(controller, now)

    # Answers

    async def hear(self, feed: AnswerFeed) -> None:
        """Judge every answer as it ends, and count how people rate them; runs until cancelled."""
        self._hearing.feed = feed
        async for signal in feed.signals():
            self._hearing.begin(signal.experiment)
            await self._heard(signal, feed.epoch)
            self._hearing.end()

    async def _heard(self, signal: Signal, epoch: str) -> None:
        controller = self._registry.find(signal.experiment)
        if controller is None:
            return
        if isinstance(signal, AnswerRating):
            controller.rate(signal, epoch)
            return
        verdict = controller.hear(signal, epoch)
        if verdict.kind == "breach" and controller.record.state.weight_bp > 0:
            await self._treatment_failed(controller, verdict.reason, signal.t)

    async def _treatment_failed(self, controller: Controller, reason: str, detected: float) -> None:
        ready = bool(self._registry.serving(controller.record.control))
        state = controller.record.state
        if ready or state.pending is None:
            event = TreatmentFailed(reason=reason, control_ready=ready)
            await self._effects.change(controller, event, detected)

    def judged(self) -> tuple[str, ...]:
        """Experiments that are judged now: their answers are heard, and none has been pondered for too long."""
        return tuple(one.record.name for one in self._registry) if self._hearing.judging else ()

    # Engines

    async def engine_switched(self, engine: str) -> None:
        """Another process serves under this name, or none does."""
        now = time.time()
        for controller in self._registry:
            record = controller.record
            if engine not in (record.control, record.treatment):
                continue
            serving = self._registry.serving(engine)
            keys = ", ".join(one.key for one in serving)
            text = f"{keys} serves {serving[0].profile.model}" if serving else f"{engine} is gone"
            controller.serves(now, engine, text)
            self._registry.start_generation(controller, now)
            self._rehearsals.canaries.engine_changed(record.name)
            if not await self._check_treatment(controller, now):
                await self._effects.push(controller, time.monotonic())

    async def _check_treatment(self, controller: Controller, now: float) -> bool:
        """Roll back where users are on a treatment that is gone; whether that was so."""
        record = controller.record
        gone = not self._registry.serving(record.treatment) and record.state.weight_bp > 0
        if gone:
            await self._treatment_failed(controller, f"the treatment {record.treatment} is gone", now)
        return gone

    # The gateway

    def latched_elsewhere(self, experiment: str) -> None:
        """Somebody has latched it on the gateway itself: that is a rollback, and the router tells the gateway so."""
        controller = self._registry.find(experiment)
        if controller is None or controller.record.state.latched or controller.record.finished:
            return
        event = RollbackAsked(by="gateway", reason="latched over the gateway's control socket")
        self._effects.tick(controller, event)
        self._effects.publish(controller)

    def lapse_ended(self, experiment: str, seconds: float) -> None:
        """The gateway had no judge for so long; now it has this one."""
        controller = self._registry.find(experiment)
        if controller:
            text = (
                f"nobody judged it: for {seconds:.0f} s the gateway kept everyone on the control as long as that was "
                "healthy; the weight holds again"
            )
            self._effects.warn(controller, text, "lease")

    # Time

    async def keep(self) -> None:
        """Move rollouts on, and tell watchers, once a second; runs until cancelled."""
        last = time.monotonic()
        while True:
            now = time.monotonic()
            elapsed, last = now - last, now
            for controller in self._registry:
                await self._tick(controller, elapsed)
            await asyncio.sleep(TICK_S)

    async def _tick(self, controller: Controller, elapsed_s: float) -> None:
        self._effects.save_again(controller)
        controller.save_blocks()
        if not controller.record.finished:
            self._rehearsals.prepare(controller)
            self._safety.tend(controller)
            gates, now = self._gates.of(controller), time.time()
            moved = self._effects.tick(controller, Tick(elapsed_s=elapsed_s, gates=gates))
            controller.progress = progress(controller.record.state, gates, now)
            if moved:
                await self._effects.push(controller, time.monotonic())
        elif controller.record.retire:
            self._rehearsals.forget(controller.record.name)
            await retire(controller, self._registry, self._effects.router, time.time())
        self._effects.publish(controller)
