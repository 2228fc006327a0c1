"""Operations as they are carried out, step by step; each step finds out what is done already, so that it can go on
after a crash."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_agent.engines.copying import Copier
from quantdeck_agent.engines.errors import CancelledError, EngineFailedError
from quantdeck_agent.engines.group import Group
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.operations import Operations
from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.starts import Starts
from quantdeck_agent.engines.turns import Turns
from quantdeck_core.engines import operation as steps
from quantdeck_core.engines.restart import Restarts, started
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.engine import EngineState
from quantdeck_core.protocol.operation import Operation, StepName
from quantdeck_core.text import clean

log = logging.getLogger("quantdeck.agent")


class Rollouts:
    """Carries out operations.

    Args:
        owner: begins the marker of every process, so that they are found again.
        switched: called when other processes have a name's traffic, or none has; routes the gateway, then returns.
        drained: waits until a replica has no request in flight.
        failed: called when an operation has failed and was undone.
    """

    def __init__(
        self,
        roster: Roster,
        operations: Operations,
        starts: Starts,
        copier: Copier,
        owner: str,
        switched: Callable[[str], Awaitable[None]],
        drained: Callable[[str], Awaitable[None]],
        failed: Callable[[Operation, QuantdeckError], None],
    ) -> None:
        self._roster, self._operations, self._starts, self._owner = roster, operations, starts, owner
        self._copier = copier
        self._switched, self._drained, self._failed = switched, drained, failed
        self._turns = Turns()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, operation: Operation, coming: list[EngineRecord], also: Callable[[], None] = lambda: None) -> None:
        """Persist it with the processes that it starts, and carry it out.

        Args:
            also: what else must be on disk together with it.

        Raises:
            QuantdeckError: it could not be persisted; nothing has begun.
        """
        group = self._roster.group(operation.engine)
        instances = [self._roster.instance(record) for record in coming]
        try:
            with self._roster.store.transaction(urgent=operation.kind == "stop"):
                for instance in instances:
                    self._roster.save(instance)
                also()
                self._operations.put(operation)
        except BaseException:
            self._operations.drop(operation)
            self._roster.publish(operation.engine)
            raise
        group.coming += instances
        group.note = ""
        self.resume(operation)

    def resume(self, operation: Operation) -> None:
        """Go on with it, from wherever it is."""
        self._tasks[operation.id] = asyncio.create_task(self._carry_out(operation.id))
        self._roster.publish(operation.engine)

    def past_return(self, operation: Operation) -> bool:
        """Whether it has nothing more to start: what was asked for is on disk, and only the old is being ended."""
        return not self._roster.group(operation.engine).coming

    async def cancel(self, operation: Operation, by: str) -> None:
        """End it; what it has begun is undone when this returns."""
        if operation.state != "cancelling":
            self._operations.put(msgspec.structs.replace(operation, state="cancelling", why=f"cancelled by {by}"))
            if task := self._tasks.get(operation.id):
                task.cancel()
                await asyncio.wait([task])
        if self._operations.named(operation.id).ended is None:
            if (task := self._tasks.get(operation.id)) is None or task.done():  # it never came to run
                self.resume(operation)
            await asyncio.wait([self._tasks[operation.id]])

    async def abandon(self) -> None:
        """The agent ends: tasks do, operations stay as they are on disk."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, identifier: str) -> None:
        try:
            await self._until_ended(identifier)
        finally:
            self._tasks.pop(identifier, None)

    async def _until_ended(self, identifier: str) -> None:
        operation = self._operations.named(identifier)
        group = self._roster.group(operation.engine)
        try:
            if operation.state == "cancelling":
                raise CancelledError(operation.why or "cancelled")
            if operation.kind == "swap":
                await self._retire(identifier, group, _before(operation, group))
            if operation.profile is not None and operation.replicas:
                await self._bring_up(identifier, group)
            everything = operation.kind == "stop"
            leaving = [one for one in group.instances() if everything or one.record.place == "leaving"]
            await self._retire(identifier, group, leaving)
            self._operations.further(steps.finish(self._operations.named(identifier), time.time()))
            self._roster.publish(operation.engine)
        except QuantdeckError as error:
            await self._undo(identifier, group, error)
        except asyncio.CancelledError:
            if self._operations.named(identifier).state != "cancelling":
                raise
            why = self._operations.named(identifier).why
            await self._undo(identifier, group, CancelledError(f"{operation.engine}: {why}.", "Nothing was changed."))
        except Exception as error:
            # An operation that nobody carries out any more would block its engine for ever.
            log.exception("%s", identifier)
            detail = f"{operation.kind} of {operation.engine} broke off: {type(error).__name__}: {error}"
            await self._undo(identifier, group, EngineFailedError(clean(detail, one_line=True), "See the agent's log."))

    # Up

    async def _bring_up(self, identifier: str, group: Group) -> None:
        """Start what is to be started, and switch to it when all of it is ready."""
        if group.coming:
            await self._copy(identifier, group)
            begun = [asyncio.create_task(self._start(identifier, one)) for one in group.coming]
            try:
                await asyncio.gather(*begun)
            except BaseException:
                for task in begun:
                    task.cancel()
                await asyncio.gather(*begun, return_exceptions=True)
                raise
            await self._switch(identifier, group)

    async def _copy(self, identifier: str, group: Group) -> None:
        operation = self._operations.named(identifier)
        if not any(step.name == "copy" and step.state != "done" for step in operation.steps):
            return

        def told(detail: str, fraction: float | None) -> None:
            self._enter(identifier, "copy", detail, fraction)

        told("the checkpoint is fetched", None)
        await self._copier.copy(operation, group.coming, told)
        for instance in group.coming:
            self._roster.save(instance)

    async def _start(self, identifier: str, instance: Instance) -> None:
        record = instance.record

        def progress(name: StepName, detail: str, fraction: float | None = None) -> None:
            of = f"{record.title}: {detail}" if record.replica else detail
            self._enter(identifier, name, of, fraction)

        if not record.external:
            if self._turns.taken(record.gpus):
                progress("room", "another start on its GPU goes first")
            async with self._turns.on(record.gpus):
                if record.identity is None:
                    progress("room", "waiting until the GPU's memory is free")
                    await self._starts.room(record)
                    progress("start", record.program)
                    self._started(record)
                    instance.spawn(self._owner)
                    self._roster.save(instance)
                hashing = asyncio.create_task(self._starts.hash(instance))
                try:
                    await instance.until_ready(progress)
                except BaseException:
                    hashing.cancel()
                    raise
                self._starts.remember(instance, hashing, self._operations.named(identifier).by)
        else:
            await instance.until_ready(progress)
        self._roster.save(instance)

    def _started(self, record: EngineRecord) -> None:
        group = self._roster.group(record.name)
        known = group.restarts.get(record.replica, Restarts())
        group.restarts[record.replica] = started(known, time.monotonic())

    async def _switch(self, identifier: str, group: Group) -> None:
        operation = self._operations.named(identifier)
        self._enter(identifier, "route", "the gateway is told", None)
        new, numbers = group.coming, {one.record.replica for one in group.coming}
        everyone = operation.kind in ("deploy", "replace", "swap", "restart")
        old = [one for one in group.active if everyone or one.record.replica in numbers]
        kept = [one for one in group.active if one not in old]
        with self._roster.store.transaction():
            for instance in new:
                instance.enter("ready")
                self._roster.place(instance, "active")
            for instance in old:
                self._roster.place(instance, "leaving")
            self._want(operation, group, len(kept) + len(new))
        for number in numbers:
            group.due.pop(number, None)
        group.coming, group.leaving = [], [*group.leaving, *old]
        group.active = sorted(kept + new, key=lambda one: one.record.replica)
        self._roster.publish(group.name)
        await self._switched(group.name)

    def _want(self, operation: Operation, group: Group, replicas: int) -> None:
        if operation.profile is None or operation.kind == "recover":
            return
        deployment = Deployment(
            name=group.name,
            profile=operation.profile,
            replicas=replicas,
            since=time.time(),
            by=operation.by,
            forced=operation.forced,
        )
        self._roster.want(deployment)

    # Down

    async def _retire(self, identifier: str, group: Group, leaving: list[Instance]) -> None:
        """Take them out of the gateway, let their answers end, then end them."""
        if not leaving:
            return
        self._enter(identifier, "drain", "answers that have begun are finished", None)
        for instance in leaving:
            self._roster.leave(instance)
            if instance.state != "failed":
                instance.enter("draining")
        await self._switched(group.name)
        await asyncio.gather(*(self._drained(instance.record.key) for instance in leaving))
        self._enter(identifier, "stop", "processes are ended", None)
        await asyncio.gather(*(self._end(instance) for instance in leaving))
        group.active = [one for one in group.active if one not in leaving]
        group.coming = [one for one in group.coming if one not in leaving]
        group.leaving = [one for one in group.leaving if one not in leaving]
        self._roster.publish(group.name)

    async def _end(self, instance: Instance) -> None:
        self._starts.ended(await instance.stop())
        self._roster.forget(instance)

    # Back

    async def _undo(self, identifier: str, group: Group, error: QuantdeckError) -> None:
        """End what was begun; what served before goes on, or comes back."""
        operation = self._operations.named(identifier)
        for instance in group.coming:
            instance.fail(error.info(), "stopping")
        shown = group.coming[:1]
        await asyncio.gather(*(self._end(instance) for instance in group.coming))
        group.coming = []
        if operation.kind == "swap":
            await self._bring_back(group, _before(operation, group))
        now, info = time.time(), error.info()
        ended = steps.cancelled if isinstance(error, CancelledError) else steps.fail
        if operation.kind == "recover":
            # One that somebody has cancelled stays as it is until somebody acts.
            state: EngineState = "failed" if isinstance(error, CancelledError) else "restarting"
            for failed in filter(None, (group.replica(number) for number in operation.replicas)):
                failed.fail(info, state)
        elif group.active:
            group.note = f"{operation.kind} failed: {error.detail}"
        elif shown and group.deployment is None and not isinstance(error, CancelledError):
            group.active = shown
            shown[0].fail(info)
        self._roster.note(group.name, "engine", f"{operation.kind} failed: {error.detail}", "quantdeck")
        self._operations.further(ended(operation, info, now))
        self._roster.publish(group.name)
        self._failed(operation, error)

    async def _bring_back(self, group: Group, old: list[Instance]) -> None:
        """Have those serve again that a swap has taken out and not ended yet; what is half ended is ended."""
        serving = [one for one in old if one.alive() and one.state in ("ready", "hung", "draining")]
        await asyncio.gather(*(self._end(one) for one in old if one not in serving))
        for instance in serving:
            self._roster.place(instance, "active")
            instance.enter("ready")
        group.leaving = [one for one in group.leaving if one not in old]
        kept = [one for one in group.active if one not in old]
        group.active = sorted(kept + serving, key=lambda one: one.record.replica)
        await self._switched(group.name)

    def _enter(self, identifier: str, name: StepName, detail: str, fraction: float | None) -> None:
        operation = self._operations.named(identifier)
        self._operations.further(steps.enter(operation, name, time.time(), detail, fraction))


def _before(operation: Operation, group: Group) -> list[Instance]:
    """What served before an operation, and has not ended yet."""
    return [one for one in (*group.active, *group.leaving) if one.record.generation < operation.generation]
