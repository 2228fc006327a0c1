"""How a decision becomes true: persisted, told to the gateway, acknowledged, and said to whoever watches."""

from __future__ import annotations

import time

import msgspec

from quantdeck_agent.experiments.controller import Controller, RollingBack
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.report import experiment_status, readiness_of
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.hub import Hub
from quantdeck_core.alerts.rollout_causes import alarms_of
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.events import SYSTEM, RollbackAsked, RolloutEvent, Transition, TreatmentFailed
from quantdeck_core.rollout.state import RolloutState

NOT_ON_DISK = (
    "the rollback holds, but the disk refused to save it; it is tried again: make room before the agent restarts"
)


class Effects:
    """Carries out what the state machine decides.

    Attributes:
        router: None on a host without a gateway.
    """

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._registry, self._hub = registry, hub
        self.router: Router | None = None

    async def change(self, controller: Controller, event: RolloutEvent, detected: float | None = None) -> Applied:
        """Apply an event and make it effective.

        Args:
            detected: UNIX time of the last byte of the answer that led to it.

        Raises:
            ConflictError, InputError: the state machine refuses it.
            StateWriteError: the disk does, and it is no rollback.
        """
        began, before = time.monotonic(), controller.record.state
        transition = self._decide(controller, event, detected)
        applied = await self.push(controller, began)
        self._announce(controller, before, transition)
        if controller.unsaved:
            applied = msgspec.structs.replace(applied, detail=f"{NOT_ON_DISK} {applied.detail}".strip())
        pending = controller.record.state.pending
        if pending and isinstance(event, RollbackAsked | TreatmentFailed):
            # Also where it was asked for again: the first answer may have been lost, and nobody has gone back yet.
            why = transition.text or f"a rollback waits for the control: {pending.reason}"
            applied = msgspec.structs.replace(applied, pending=True, detail=why)
        return applied

    def tick(self, controller: Controller, event: RolloutEvent) -> bool:
        """Apply an event that mostly changes nothing; whether the gateway must be told something new."""
        before = controller.record.state
        transition = self._decide(controller, event, None)
        self._announce(controller, before, transition)
        after = controller.record.state
        return (before.weight_bp, before.stage) != (after.weight_bp, after.stage)

    def _decide(self, controller: Controller, event: RolloutEvent, detected: float | None) -> Transition:
        before = controller.record.state
        transition = controller.apply(event, time.time())
        if transition.state.latched and not before.latched:
            controller.rolling = RollingBack(decided=time.time(), detected=detected)
        return transition

    async def push(self, controller: Controller, began: float) -> Applied:
        """Tell the gateway. Where it cannot be told, the router goes on trying and this says so.

        Args:
            began: monotonic time at which the change was asked for.
        """
        revision = controller.record.state.revision
        try:
            if self.router:
                await self.router.push()
        except QuantdeckError as error:
            self.publish(controller)
            return Applied(revision=revision, pending=True, detail=f"saved, not effective yet: {error.detail}")
        self.publish(controller)
        return Applied(revision=revision, effective_ms=round((time.monotonic() - began) * 1000, 2))

    def _announce(self, controller: Controller, before: RolloutState, transition: Transition) -> None:
        name = controller.record.name
        for level, text, key in alarms_of(before, transition):
            self._hub.alarm(time.time(), level, text, name, key=key)
        if controller.unsaved:
            self._hub.alarm(time.time(), "fail", NOT_ON_DISK, name)

    def page(self, controller: Controller, text: str) -> None:
        """Something that should wake a person."""
        name = controller.record.name
        self._hub.alarm(time.time(), "fail", text, name)

    def warn(self, controller: Controller, text: str, kind: str) -> None:
        """Something that a person should know and need not act on."""
        self._hub.alarm(time.time(), "warn", text, controller.record.name)
        controller.note(time.time(), kind, text, SYSTEM)

    def settled(self) -> None:
        """The gateway has acknowledged what is wanted now."""
        for controller in self._registry:
            if controller.settled(time.time()):
                self.publish(controller)

    def save_again(self, controller: Controller) -> None:
        """Persist a rollback that the disk refused, if it takes it now."""
        if controller.save_again():
            self._hub.alarm(time.time(), "warn", "the rollback is on disk now", controller.record.name)

    def publish_freeze(self) -> None:
        """Tell watchers who holds this host's automation."""
        self._hub.put_freeze(self._registry.frozen)

    def publish(self, controller: Controller) -> None:
        """Tell watchers how it stands."""
        record, now = controller.record, time.time()
        self._hub.put_experiment(
            experiment_status(
                controller,
                control=self._registry.serving(record.control),
                treatment=self._registry.serving(record.treatment),
                timeline=self._registry.store.timeline(controller.subject),
                router=self.router,
                route=self._registry.route(record),
                readiness=readiness_of(controller, self._registry, self.router, now),
                now=now,
            )
        )
