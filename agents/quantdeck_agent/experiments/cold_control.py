"""Brings a control back that does not run, so that a rollback which waits for it can go on."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from quantdeck_agent.engines.checkpoint import resolve_model
from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.models.hasher import Meter
from quantdeck_checkpoints.hashing import files_of
from quantdeck_core.durations import spoken
from quantdeck_core.errors import ConflictError, QuantdeckError
from quantdeck_core.fleet.cells import size
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Deploy
from quantdeck_core.rollout.cold_start import (
    ColdFacts,
    ControlRecipe,
    checkpoint_problem,
    plan_cold_start,
    start_seconds,
)

POLL_S = 0.2
SYSTEM = "quantdeck"
_COMING = frozenset({"queued", "starting", "probing", "warming", "restarting", "hung"})
Digest = Callable[[Path, Meter], Awaitable[str]]
Progress = Callable[[str], None]


class ControlNotBackError(ConflictError):
    """The control cannot be brought back by the agent alone."""

    code = "control-not-back"
    title = "The control cannot be brought back"


class ColdControl:
    """Starts controls again.

    Args:
        root: of the models.
        digest: SHA-256 of a checkpoint, read from end to end, whatever is known of it.
    """

    def __init__(self, engines: Engines, root: Path, digest: Digest) -> None:
        self._engines, self._root, self._digest = engines, root, digest

    def recipe(self, engine: str) -> ControlRecipe | None:
        """What serves under this name now, to be written down with the experiment; None where nothing does."""
        serving = self._engines.serving(engine)
        deployment = self._engines.deployment(engine)
        if not serving or deployment is None:
            return None
        return ControlRecipe(
            engine=engine,
            profile=deployment.profile,
            replicas=deployment.replicas,
            sha256=self._engines.sha256(engine),
            forced=bool(deployment.forced),
        )

    def expected_s(self, engine: str) -> float | None:
        """Seconds that its last start took."""
        return start_seconds(self._engines.operations.all(), engine)

    def state(self, engine: str) -> ColdFacts:
        """Where it stands."""
        under_way = self._engines.operations.of_engine(engine)
        starts = under_way is not None and under_way.kind != "stop"
        coming = any(one.state in _COMING for one in self._engines.statuses(engine))
        return ColdFacts(serving=bool(self._engines.serving(engine)), under_way=starts or coming)

    async def bring_back(self, engine: str, recipe: ControlRecipe | None, progress: Progress) -> None:
        """Return when a replica of it is ready; what goes on is told as `progress(text)`.

        Raises:
            ControlNotBackError: it cannot be, or its checkpoint is not the one that served.
            QuantdeckError: its start was refused or failed.
        """
        began = time.monotonic()
        while (under_way := self._engines.operations.of_engine(engine)) and under_way.kind == "stop":
            progress(f"{engine} is still being stopped")
            await asyncio.sleep(POLL_S)
        plan = plan_cold_start(self.state(engine), recipe)
        if plan.impossible:
            raise ControlNotBackError(f"{plan.impossible}.", "Start it, and everyone goes back to it at once.")
        for step in plan.steps:
            if step == "verify" and recipe:
                await self._verify(recipe, progress)
            elif step == "start" and recipe:
                await self._start(recipe)
            elif step == "ready":
                await self._until_ready(engine, began, progress)

    async def _verify(self, recipe: ControlRecipe, progress: Progress) -> None:
        path = resolve_model(self._root, recipe.profile.model, recipe.profile.engine)
        total = sum(file.stat().st_size for file in files_of(path, inside=self._root).values())
        meter = Meter()

        async def tell() -> None:
            while True:
                progress(f"checking {recipe.profile.model}: {size(meter.value)} of {size(total)}")
                await asyncio.sleep(POLL_S)

        telling = asyncio.create_task(tell())
        try:
            found = await self._digest(path, meter)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
        if problem := checkpoint_problem(recipe, found):
            raise ControlNotBackError(
                f"{problem[:1].upper()}{problem[1:]}.",
                f"Push the right one with `quantdeck model push --replace`, then deploy {recipe.engine} again.",
            )

    async def _start(self, recipe: ControlRecipe) -> None:
        serve = msgspec.structs.replace(recipe.profile.serve, replicas=recipe.replicas)
        profile = msgspec.structs.replace(recipe.profile, serve=serve) if recipe.replicas > 1 else recipe.profile
        ask = Deploy(
            request_id=f"cold-{uuid.uuid4().hex}", by=SYSTEM, profile=profile, name=recipe.engine, force=recipe.forced
        )
        await self._engines.supervisor.deploy(ask)

    async def _until_ready(self, engine: str, began: float, progress: Progress) -> None:
        expected = self.expected_s(engine)
        about = f" of about {spoken(expected)}" if expected is not None else ""
        last: Operation | None = None
        while not self._engines.serving(engine):
            last = self._engines.operations.of_engine(engine) or last
            if last:
                last = self._engines.operations.named(last.id)
            if last and last.state in ("failed", "cancelled"):
                raise _failure(engine, last)
            if not self.state(engine).under_way and (last is None or last.state == "done"):
                raise ControlNotBackError(f"The control {engine} is not being started any more.", "Deploy it again.")
            progress(f"{engine}: {_step(last)}, {spoken(time.monotonic() - began)}{about}")
            await asyncio.sleep(POLL_S)


def _step(operation: Operation | None) -> str:
    current = operation.current if operation else None
    if current is None:
        return "starting"
    done = f" {current.fraction * 100:.0f} %" if current.fraction is not None else ""
    return f"{current.name}{done}"


def _failure(engine: str, operation: Operation) -> QuantdeckError:
    error = operation.error
    if error is None:
        return ControlNotBackError(f"The start of {engine} was cancelled ({operation.id}).", "Deploy it again.")
    return ControlNotBackError(f"The control {engine} did not start: {error.detail}", error.hint)
