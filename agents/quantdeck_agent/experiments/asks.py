"""What people ask of experiments."""

from __future__ import annotations

import time

from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.gates import Gatekeeper
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.safety import Safety
from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.protocol.requests import (
    Applied,
    ChangeWeight,
    ClearLatch,
    CreateExperiment,
    Finish,
    Freeze,
    FreezeAsk,
    Rollback,
    StartRollout,
    SteerRollout,
)
from quantdeck_core.rollout.events import (
    Aborted,
    Finished,
    LatchCleared,
    Paused,
    Promoted,
    Resumed,
    RollbackAsked,
    RolloutStarted,
    WeightAsked,
)
from quantdeck_core.rollout.state import RolloutState


class Asks:
    """Each call persists before it returns, and says whether the gateway has acknowledged."""

    def __init__(self, registry: Registry, effects: Effects, gates: Gatekeeper, safety: Safety) -> None:
        self._registry, self._effects, self._gates, self._safety = registry, effects, gates, safety

    async def create(self, ask: CreateExperiment) -> Applied:
        """Put two ready engines side by side at weight 0.

        Raises:
            ConflictError: the name is taken, there is no gateway, or the arms do not go together.
            NotFoundError: an engine that is not here.
        """
        if ask.name in self._registry:
            raise ConflictError(
                f"An experiment {ask.name!r} exists already.", "Choose another name: it is in the hash."
            )
        if self._effects.router is None:
            raise ConflictError("This host has no gateway.", "Start its agent with --gateway HOST:PORT.")
        arms = []
        for engine in (ask.control, ask.treatment):
            serving = self._registry.serving(engine)
            if not serving:
                raise NotFoundError(f"No ready engine is called {engine!r} here.", "Deploy it first.")
            arms.append(serving[0].profile)
        if ask.control == ask.treatment or arms[0].served_name != arms[1].served_name:
            raise ConflictError(
                f"{ask.control} serves {arms[0].served_name!r} and {ask.treatment} {arms[1].served_name!r}.",
                "Two different engines with the same served_name make an experiment.",
            )
        other = self._registry.live_with(arms[0].served_name)
        if other:
            raise ConflictError(
                f"The experiment {other} splits {arms[0].served_name!r} already.",
                f"Finish it with `quantdeck experiment finish {other}`, or give both arms another served_name.",
            )
        now = time.time()
        record = ExperimentRecord(
            name=ask.name,
            served_name=arms[0].served_name,
            control=ask.control,
            treatment=ask.treatment,
            thresholds=ask.thresholds,
            traffic=ask.traffic,
            canary=ask.canary,
            state=RolloutState(by=ask.by, since=now),
        )
        controller = self._registry.add(record)
        self._registry.start_generation(controller, now)
        self._safety.remember(controller)
        controller.note(now, "create", f"{ask.control} against {ask.treatment}, at 0 %", ask.by)
        return await self._effects.push(controller, time.monotonic())

    async def change_weight(self, name: str, ask: ChangeWeight) -> Applied:
        """Set a weight.

        Raises:
            ConflictError: stale revision, rolled back, an arm that should get users is not ready, or first users are to
                get what the fixed prompts found broken, and no reason was given.
        """
        controller = self._registry.running(name)
        record = controller.record
        if ask.weight_bp > 0:
            self._registry.require_ready(record.treatment, "treatment")
        if record.state.weight_bp == 0 < ask.weight_bp and not ask.reason.strip():
            self._gates.require_no_failed_canary(record)
        if ask.weight_bp < 10_000:
            self._registry.require_ready(record.control, "control")
        event = WeightAsked(weight_bp=ask.weight_bp, revision=ask.revision, by=ask.by, reason=ask.reason)
        return await self._effects.change(controller, event)

    async def roll_back(self, name: str, ask: Rollback) -> Applied:
        """Everyone back to the control, latched; where that is not ready it is pending until it is.

        Raises:
            ConflictError: it was based on a stale revision.
        """
        controller = self._registry.running(name)
        ready = bool(self._registry.serving(controller.record.control))
        event = RollbackAsked(by=ask.by, reason=ask.reason, control_ready=ready, revision=ask.revision, began=ask.began)
        return await self._effects.change(controller, event)

    async def clear_latch(self, name: str, ask: ClearLatch) -> Applied:
        """Let the treatment start again.

        Raises:
            ConflictError: not rolled back, stale, or the treatment is not ready.
        """
        controller = self._registry.running(name)
        self._registry.require_ready(controller.record.treatment, "treatment")
        return await self._effects.change(controller, LatchCleared(revision=ask.revision, by=ask.by, reason=ask.reason))

    async def start(self, name: str, ask: StartRollout) -> Applied:
        """Begin a plan.

        Raises:
            ConflictError: stale, latched, or a plan runs already.
            InputError: the plan may not be carried out.
        """
        controller = self._registry.running(name)
        self._registry.require_ready(controller.record.treatment, "treatment")
        event = RolloutStarted(plan=ask.plan, revision=ask.revision, by=ask.by, reason=ask.reason)
        return await self._effects.change(controller, event)

    async def steer(self, name: str, ask: SteerRollout) -> Applied:
        """Pause, resume, promote or abort the plan.

        Raises:
            ConflictError: stale, no plan runs, or what is asked is not safe now.
        """
        controller = self._registry.running(name)
        who, why, revision = ask.by, ask.reason, ask.revision
        match ask.action:
            case "pause":
                return await self._effects.change(controller, Paused(by=who, reason=why))
            case "resume":
                return await self._effects.change(controller, Resumed(revision=revision, by=who, reason=why))
            case "promote":
                gates = self._gates.of(controller)
                event = Promoted(revision=revision, by=who, reason=why, gates=gates)
                return await self._effects.change(controller, event)
            case "abort":
                ready = bool(self._registry.serving(controller.record.control))
                return await self._effects.change(controller, Aborted(by=who, reason=why, control_ready=ready))

    async def finish(self, name: str, ask: Finish) -> Applied:
        """End it: one arm is the baseline, the other is retired once the gateway has acknowledged.

        Raises:
            ConflictError: not at full rollout, not healthy, or stale; to discard the treatment: it has users.
        """
        controller = self._registry.running(name)
        gates = self._gates.of(controller)
        event = Finished(revision=ask.revision, by=ask.by, reason=ask.reason, gates=gates, discard=ask.discard)
        return await self._effects.change(controller, event)

    async def freeze(self, ask: FreezeAsk) -> Applied:
        """Hold all automation of this host but rollbacks; who froze it first stays on record."""
        if self._registry.frozen is None:
            self._frozen(Freeze(by=ask.by, reason=ask.reason, since=time.time()), ask)
        return Applied(revision=0, effective_ms=0.0)

    async def unfreeze(self, ask: FreezeAsk) -> Applied:
        """Let automation go on."""
        if self._registry.frozen is not None:
            self._frozen(None, ask)
        return Applied(revision=0, effective_ms=0.0)

    def _frozen(self, freeze: Freeze | None, ask: FreezeAsk) -> None:
        self._registry.freeze(freeze)
        self._effects.publish_freeze()
        verb = "frozen: nothing but a rollback moves by itself" if freeze else "goes on"
        for controller in self._registry:
            controller.note(time.time(), "freeze", f"automation {verb}: {ask.reason}", ask.by)
