"""What a new agent takes over: engines that outlived the last one, and operations that it was carrying out."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator

import msgspec
import psutil

from quantdeck_agent.engines.command import RECORD
from quantdeck_agent.engines.group import Group
from quantdeck_agent.engines.keeper import Keeper
from quantdeck_agent.engines.operations import Operations
from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_agent.engines.rollouts import Rollouts
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.starts import Starts
from quantdeck_agent.engines.supervisor import Supervisor
from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.process.session import marked, signal_members

log = logging.getLogger("quantdeck.agent")


class Restorer:
    """Brings the present back from disk and from the processes that run."""

    def __init__(
        self,
        roster: Roster,
        operations: Operations,
        rollouts: Rollouts,
        supervisor: Supervisor,
        keeper: Keeper,
        starts: Starts,
        owner: str,
    ) -> None:
        self._roster, self._operations, self._rollouts = roster, operations, rollouts
        self._supervisor, self._keeper, self._starts, self._owner = supervisor, keeper, starts, owner

    async def restore(self) -> None:
        """Take over everything.

        When this returns, everything that serves is known: only then may the gateway be told anything.
        """
        deployments, records = self._roster.saved()
        running = dict(self._running())
        for key, identity in running.items():
            if key in records:
                if records[key].identity is None:  # the last agent died between its start and its record
                    records[key] = msgspec.structs.replace(records[key], identity=identity)
            elif (lost := self._lost(key, identity)) is not None:
                records[key] = lost
                if lost.place == "active" and lost.name not in deployments:
                    deployments[lost.name] = self._wanted_again(lost)
            else:
                self._end_orphan(key, identity)
        for deployment in deployments.values():
            self._roster.group(deployment.name).deployment = deployment
        for record in sorted(records.values(), key=lambda one: (one.name, one.replica, one.generation)):
            await self._take_over(record)
        for operation in self._operations.under_way():
            self._rollouts.resume(operation)
        for group in self._roster.groups():
            await self._settle(group)

    def _running(self) -> Iterator[tuple[str, ProcessIdentity]]:
        for identity in marked(self._owner):
            key = identity.marker.removeprefix(f"{self._owner}/")
            if key != "gateway":
                yield key, identity

    def _lost(self, key: str, identity: ProcessIdentity) -> EngineRecord | None:
        """The record of a process that this state knows nothing of; None where it is known to be over."""
        try:
            text = psutil.Process(identity.pid).environ().get(RECORD, "")
            record = msgspec.json.decode(text, type=EngineRecord)
        except (psutil.Error, msgspec.MsgspecError):
            return None
        if record.key != key or self._roster.knows(record.name):
            return None
        log.warning("adopting %s (process %s), of which the state knows nothing", key, identity.pid)
        self._roster.hub.alarm(time.time(), "warn", f"{key} was found running and adopted: the state did not know it")
        ready_s = max(0.0, time.time() - record.started_at)
        return msgspec.structs.replace(record, identity=identity, place="active", ready_s=ready_s)

    def _wanted_again(self, record: EngineRecord) -> Deployment:
        deployment = Deployment(
            name=record.name, profile=record.profile, replicas=record.profile.serve.replicas or 1,
            since=record.started_at, by="quantdeck",
        )  # fmt: skip
        with self._roster.store.transaction():
            self._roster.want(deployment)
            self._roster.store.put("engine", record.key, record)
        self._roster.raise_generation(record.name, record.generation)
        return deployment

    def _end_orphan(self, key: str, identity: ProcessIdentity) -> None:
        """A process whose engine was stopped or replaced, and that did not end."""
        log.warning("ending %s (process %s), which is wanted no more", key, identity.pid)
        signal_members(identity, signal.SIGKILL)
        self._starts.ended({identity.pid})

    async def _take_over(self, record: EngineRecord) -> None:
        group, instance = self._roster.group(record.name), self._roster.instance(record)
        if record.place == "coming":
            group.coming.append(instance)
        elif record.place == "leaving":
            group.leaving.append(instance)
        else:
            group.active.append(instance)
            if instance.alive():
                instance.enter("ready")
                self._starts.hash_again(instance)
            else:
                await self._keeper.ended(group, instance, instance.exit_error())
        self._roster.publish(record.name)

    async def _settle(self, group: Group) -> None:
        """What no operation looks after: an end that was half done, or a replica that is wanted and missing."""
        if self._operations.of_engine(group.name):
            return
        if group.coming or group.leaving or (group.active and group.deployment is None):
            await self._supervisor.tidy(group.name)
        if group.deployment is not None:
            there = {one.record.replica for one in group.active} | set(group.due)
            for replica in set(range(group.deployment.replicas)) - there:
                group.due[replica] = time.monotonic()
