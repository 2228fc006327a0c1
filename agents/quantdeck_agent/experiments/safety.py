"""The way back, kept open: what the control was, a rollback that waits for it, and rehearsals."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec

from quantdeck_agent.experiments.cold_control import ColdControl
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.report import readiness_of
from quantdeck_agent.store import StateWriteError
from quantdeck_core.errors import ConflictError, QuantdeckError
from quantdeck_core.protocol.drill import Drill, DrillRecord

AGAIN_S = 30.0
"""Between two attempts to bring a control back."""


class Safety:
    """Looks after the controls of a host's experiments.

    Attributes:
        cold: starts controls; None before the engines are there.
    """

    def __init__(self, registry: Registry, effects: Effects) -> None:
        self._registry, self._effects = registry, effects
        self.cold: ColdControl | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, float] = {}

    def restore(self) -> None:
        """After a restart: rehearsals that were cut off are on record as failed."""
        for name, record in self._registry.drills.restore().items():
            controller = self._registry.find(name)
            if controller:
                self._keep(controller, record)

    async def drill(self, name: str, ask: Drill) -> DrillRecord:
        """Rehearse a rollback.

        Raises:
            NotFoundError, ConflictError: no such experiment, it has ended, or users cannot be moved now.
        """
        controller, router = self._registry.running(name), self._effects.router
        record, frozen = controller.record, self._registry.frozen
        if router is None:
            raise ConflictError("This host has no gateway.", "There is nothing to rehearse.")
        result = await self._registry.drills.run(
            name,
            ask,
            state=record.state,
            readiness=readiness_of(controller, self._registry, router, time.time()),
            control=self._registry.serving(record.control),
            router=router,
            frozen=f"{frozen.by}: {frozen.reason}" if frozen else "",
        )
        self._keep(controller, result)
        self._effects.publish(controller)
        return result

    def _keep(self, controller: Controller, result: DrillRecord) -> None:
        with contextlib.suppress(StateWriteError):  # it is in the timeline, or will be rehearsed again
            controller.put(msgspec.structs.replace(controller.record, last_drill=result))

    def remember(self, controller: Controller) -> None:
        """Write down what the control is; a checkpoint that is not hashed yet does not replace one that is."""
        record = controller.record
        recipe, known = self.cold.recipe(record.control) if self.cold else None, record.control_recipe
        if recipe and recipe != known and (recipe.sha256 or known is None or recipe.profile != known.profile):
            with contextlib.suppress(StateWriteError):  # tried again in a second
                controller.put(msgspec.structs.replace(record, control_recipe=recipe))

    def tend(self, controller: Controller) -> None:
        """Once a second: write down what the control is, and bring it back where a rollback waits for it."""
        self.remember(controller)
        record, cold = controller.record, self.cold
        if cold is None or record.state.pending is None or self._registry.serving(record.control):
            return
        if record.name in self._tasks:
            return
        if time.monotonic() - self._tried.get(record.name, -AGAIN_S) >= AGAIN_S:
            self._tasks[record.name] = asyncio.create_task(self._bring_back(controller, cold))

    async def _bring_back(self, controller: Controller, cold: ColdControl) -> None:
        record, name = controller.record, controller.record.name

        def progress(text: str) -> None:
            self._registry.bringing[name] = text

        try:
            await cold.bring_back(record.control, record.control_recipe, progress)
        except QuantdeckError as error:
            self._effects.page(controller, f"a rollback waits for the control: {error.detail} {error.hint}".rstrip())
        finally:
            self._tried[name] = time.monotonic()
            self._registry.bringing.pop(name, None)
            self._tasks.pop(name, None)

    async def close(self) -> None:
        """Leave starts to themselves: engines outlive the agent, and the next one goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
