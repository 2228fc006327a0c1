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
from quantdeck_agent.ports import listens
from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.process.session import marked, members, signal_members

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
        boot: str,
    ) -> None:
        self._roster, self._operations, self._rollouts = roster, operations, rollouts
        self._supervisor, self._keeper, self._starts, self._owner = supervisor, keeper, starts, owner
        self._boot, self._rebooted = boot, False

    async def restore(self) -> None:
        """Take over everything.

        When this returns, everything that serves is known: only then may the gateway be told anything.
        """
        self._rebooted = self._roster.booted(self._boot)
        deployments, records = self._roster.saved()
        unknown: dict[str, ProcessIdentity] = {}
        for key, identity in self._running():
            if key not in records:
                unknown[key] = identity
            elif records[key].identity is None:  # the last agent died between its start and its record
                records[key] = msgspec.structs.replace(records[key], identity=identity)
        lost = [one for one in (self._lost(key, identity) for key, identity in unknown.items()) if one is not None]
        for record in _one_a_replica(lost):
            del unknown[record.key]
            records[record.key] = record
        for name in {one.name for one in lost}:
            deployments[name] = self._wanted_again([one for one in records.values() if one.name == name])
        for key, identity in unknown.items():
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
        return msgspec.structs.replace(record, identity=identity, place="active", ready_s=None, silent=True)

    def _wanted_again(self, records: list[EngineRecord]) -> Deployment:
        newest = max(records, key=lambda one: one.generation)
        deployment = Deployment(
            name=newest.name, profile=newest.profile, replicas=max(one.replica for one in records) + 1,
            since=newest.started_at, by="quantdeck",
        )  # fmt: skip
        with self._roster.store.transaction():
            self._roster.want(deployment)
            for record in records:
                self._roster.store.put("engine", record.key, record)
        self._roster.raise_generation(newest.name, newest.generation)
        for record in records:
            pid = record.identity.pid if record.identity else None
            log.warning("adopting %s (process %s), of which the state knows nothing", record.key, pid)
            text = f"{record.key} was found running and adopted: the state did not know it"
            self._roster.hub.alarm(time.time(), "warn", text)
        return deployment

    def _end_orphan(self, key: str, identity: ProcessIdentity) -> None:
        """A process whose engine was stopped or replaced, and that did not end."""
        log.warning("ending %s (process %s), which is wanted no more", key, identity.pid)
        self._starts.ended({one.pid for one in members(identity)})
        signal_members(identity, signal.SIGKILL)

    async def _take_over(self, record: EngineRecord) -> None:
        group, instance = self._roster.group(record.name), self._roster.instance(record)
        if record.place == "coming":
            if self._rebooted and not instance.alive():  # it went with the machine: its operation starts it anew
                instance.record = msgspec.structs.replace(record, identity=None)
            group.coming.append(instance)
        elif record.place == "leaving":
            group.leaving.append(instance)
        else:
            group.active.append(instance)
            if instance.alive():
                if record.silent:
                    instance.suspect()
                else:
                    instance.enter("ready")
                self._starts.hash_again(instance)
            elif self._rebooted:
                self._keeper.start_after_boot(group, instance)
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


def _one_a_replica(records: list[EngineRecord]) -> Iterator[EngineRecord]:
    """Of several processes that were to take one place after another, the one that serves.

    A replacement loads for minutes before it listens, and what it replaces is gone soon after it does.
    """
    places: dict[tuple[str, int], list[EngineRecord]] = {}
    for record in sorted(records, key=lambda one: one.generation):
        places.setdefault((record.name, record.replica), []).append(record)
    for rivals in places.values():
        yield next((one for one in rivals if _listens(one)), rivals[-1])


def _listens(record: EngineRecord) -> bool:
    return record.identity is not None and any(listens(one, record.port) for one in members(record.identity))
