"""Looks after engines that serve: notices those that end or hang, and has them started again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_agent.engines.errors import CancelledError, EngineFailedError
from quantdeck_agent.engines.group import Group
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.starts import Starts
from quantdeck_agent.engines.supervisor import Supervisor
from quantdeck_agent.process.spawn import reap
from quantdeck_agent.telemetry.scrape import Scraper
from quantdeck_agent.telemetry.sessions import SessionMemory
from quantdeck_core.engines import restart
from quantdeck_core.engines.liveness import KILL_AFTER_S
from quantdeck_core.engines.restart import GiveUp, Restarts
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.protocol.operation import Operation

WATCH_S = 0.25
OBSERVE_S = 1.0
log = logging.getLogger("quantdeck.agent")


class Keeper:
    """Keeps what is wanted running.

    Args:
        switched: called when other processes have a name's traffic, or none has.
    """

    def __init__(
        self, roster: Roster, supervisor: Supervisor, starts: Starts, switched: Callable[[str], Awaitable[None]]
    ) -> None:
        self._roster, self._supervisor, self._starts, self._switched = roster, supervisor, starts, switched
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._observed: dict[str, float] = {}
        self._scraper, self._memory = Scraper(), SessionMemory()
        self._resident: dict[int, int] = {}

    async def watch(self) -> None:
        """Runs until cancelled. What goes wrong with one engine must not keep it from looking after the others."""
        try:
            while True:
                reap()
                self._resident = await asyncio.to_thread(self._memory.read, time.monotonic(), self._leaders())
                self._look_after_all()
                await asyncio.sleep(WATCH_S)
        finally:
            for task in self._looks.values():
                task.cancel()
            await asyncio.gather(*self._looks.values(), return_exceptions=True)
            await self._scraper.close()

    def _leaders(self) -> set[int]:
        groups = self._roster.groups()
        return {one.record.identity.pid for group in groups for one in group.active if one.record.identity}

    def _look_after_all(self) -> None:
        """Begin a look at each: one that answers slowly, or takes long to end, delays its own alone."""
        for name, task in list(self._looks.items()):
            if task.done():
                del self._looks[name]
                task.result()
        for group in self._roster.groups():
            if group.name not in self._looks:
                self._looks[group.name] = asyncio.create_task(self._look_quietly(group))

    async def _look_quietly(self, group: Group) -> None:
        try:
            await self._look_after(group)
        except QuantdeckError as error:
            log.warning("%s: %s", group.name, error.detail)

    async def _look_after(self, group: Group) -> None:
        look = time.monotonic() - self._observed.get(group.name, 0.0) >= OBSERVE_S
        if look:
            self._observed[group.name] = time.monotonic()
        for instance in list(group.active):
            if instance.state in ("ready", "hung") and not instance.alive():
                await self.ended(group, instance, instance.exit_error())
        if look:
            up = [one for one in group.active if one.state in ("ready", "hung")]
            await asyncio.gather(*(one.observe(self._scraper, self._resident) for one in up))
            for instance in up:
                await self._judge_life(group, instance)
            self._roster.publish(group.name)
        for replica, due in list(group.due.items()):
            if time.monotonic() >= due:
                await self._start_again(group, replica)

    async def _judge_life(self, group: Group, instance: Instance) -> None:
        hung = instance.liveness.hung_since is not None
        if instance.look_after(time.monotonic()):
            await self.ended(
                group,
                instance,
                EngineFailedError(
                    f"{instance.record.title} generated nothing for {KILL_AFTER_S:.0f} s. {instance.silence}".rstrip(),
                    f"It was ended; read {instance.log}.",
                ),
            )
        elif hung and instance.state == "ready":
            text = f"{instance.record.title} hangs and gets no requests: {instance.silence}".rstrip(": ")
            instance.enter("hung")
            self._save(instance, silent=True)
            self._tell(group, "fail", text)
            await self._switched(group.name)
        elif not hung and instance.state == "hung":
            ready_s = instance.record.ready_s  # None where it was found running, and answers for the first time
            self._save(instance, silent=False, ready_s=ready_s or max(0.0, time.time() - instance.record.started_at))
            instance.enter("ready")
            self._tell(group, "warn", f"{instance.record.title} generates again")
            await self._switched(group.name)

    def _save(self, instance: Instance, **changes: bool | float) -> None:
        instance.record = msgspec.structs.replace(instance.record, **changes)
        try:
            self._roster.save(instance)
        except QuantdeckError as error:  # a full disk: what is seen counts all the same
            log.warning("%s: %s", instance.record.key, error.detail)

    async def ended(self, group: Group, instance: Instance, error: QuantdeckError) -> None:
        """A process that nobody asked to end has ended, or is of no use any more."""
        replica, known = instance.record.replica, group.restarts.get(instance.record.replica, Restarts())
        up_s = max(0.0, time.monotonic() - instance.ready_at)
        group.restarts[replica] = restart.ended(known, up_s)
        instance.fail(error.info(), "restarting")
        self._tell(group, "fail", error.detail)
        # Users first: what is left of it may take seconds to end.
        await self._switched(group.name)
        self._starts.ended(await instance.end_processes(0))
        self._schedule(group, replica, instance)

    def start_after_boot(self, group: Group, instance: Instance) -> None:
        """A process that went with the machine: what was wanted then, which is the last that was good, is started."""
        instance.enter("restarting")
        instance.note = "the machine was started again"
        self._roster.note(group.name, "engine", f"{instance.record.key}: {instance.note}", "quantdeck")
        group.due[instance.record.replica] = time.monotonic()

    def operation_failed(self, operation: Operation, error: QuantdeckError) -> None:
        """Tell people, and try again where nobody asked for it."""
        group = self._roster.group(operation.engine)
        if operation.kind == "swap" and group.deployment:
            # What served before the swap is the last that was good.
            for replica in range(group.deployment.replicas):
                if group.replica(replica) is None:
                    group.due[replica] = time.monotonic()
        if isinstance(error, CancelledError):
            return
        self._roster.hub.alarm(time.time(), "fail", f"{operation.engine}: {error.detail}")
        if operation.kind == "recover":
            for replica in operation.replicas:
                group.restarts[replica] = restart.ended(group.restarts.get(replica, Restarts()), 0)
                self._schedule(group, replica, group.replica(replica))

    def _schedule(self, group: Group, replica: int, instance: Instance | None) -> None:
        decision = restart.decide(group.restarts.get(replica, Restarts()), time.monotonic())
        if isinstance(decision, GiveUp):
            if instance and instance.error:
                error = instance.error
                detail = f"{error.detail} ({decision.reason})"
                instance.fail(ErrorInfo(code=error.code, title=error.title, detail=detail, hint=error.hint))
            self._tell(group, "fail", f"{group.name}: {decision.reason}; somebody has to look at it")
            return
        group.due[replica] = time.monotonic() + decision.pause_s
        if instance:
            instance.enter("restarting")
            instance.note = f"starts again in {decision.pause_s:.0f} s" if decision.pause_s >= 1 else ""

    async def _start_again(self, group: Group, replica: int) -> None:
        if self._supervisor.busy(group.name):
            return  # tried again at the next look
        del group.due[replica]
        instance = group.replica(replica)
        wanted = group.deployment is not None and replica < group.deployment.replicas
        if not wanted or (instance and instance.state in ("ready", "hung")):
            return  # somebody has asked for something else meanwhile
        why = instance.error.detail if instance and instance.error else ""
        try:
            await self._supervisor.recover(group.name, replica, why)
        except QuantdeckError as error:
            group.restarts[replica] = restart.ended(group.restarts.get(replica, Restarts()), 0)
            if instance:
                instance.fail(error.info(), "restarting")
            self._tell(group, "fail", f"{group.name} cannot be started again: {error.detail}")
            self._schedule(group, replica, instance)

    def _tell(self, group: Group, level: str, text: str) -> None:
        self._roster.hub.alarm(time.time(), level, text)
        self._roster.note(group.name, "engine", text, "quantdeck")
