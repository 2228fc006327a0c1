"""All engines of a host as they are, on disk and in memory; who changes them is told elsewhere."""

from __future__ import annotations

import logging
import time

import msgspec

from quantdeck_agent.engines.group import Group
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.record import Deployment, EngineRecord, LastGeneration, Place
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.protocol.experiment import TimelineEntry

ENGINE, DEPLOYMENT, GENERATION, BOOT = "engine", "deployment", "generation", "boot"
log = logging.getLogger("quantdeck.agent")


class _Boot(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class Roster:
    """Groups by name."""

    def __init__(self, paths: Paths, store: Store, hub: Hub) -> None:
        self.paths, self.store, self.hub = paths, store, hub
        self._groups: dict[str, Group] = {}

    def groups(self) -> tuple[Group, ...]:
        """All of them."""
        return tuple(self._groups.values())

    def find(self, name: str) -> Group | None:
        """The one of this name, where there is one."""
        return self._groups.get(name)

    def group(self, name: str) -> Group:
        """The one of this name, made where there is none."""
        return self._groups.setdefault(name, Group(name))

    def instance(self, record: EngineRecord) -> Instance:
        """A process in memory."""
        return Instance(record, self.paths.logs, lambda: self.publish(record.name))

    def next_generations(self, name: str, number: int) -> int:
        """The first of so many generations that the name never had; on disk when this returns."""
        last = self.store.all(GENERATION, LastGeneration).get(name)
        first = last.generation + 1 if last else 1
        self.store.put(GENERATION, name, LastGeneration(generation=first + number - 1))
        return first

    def raise_generation(self, name: str, generation: int) -> None:
        """A generation that was found; those to come are higher."""
        if self.next_generations(name, 1) < generation:
            self.store.put(GENERATION, name, LastGeneration(generation=generation))

    def knows(self, name: str) -> bool:
        """Whether an engine of this name was ever started by this state."""
        return name in self.store.all(GENERATION, LastGeneration)

    def save(self, instance: Instance) -> None:
        """Put a process on disk as it is."""
        self.store.put(ENGINE, instance.record.key, instance.record)

    def place(self, instance: Instance, place: Place) -> None:
        """Move a process on."""
        instance.record = msgspec.structs.replace(instance.record, place=place)
        self.save(instance)

    def leave(self, instance: Instance) -> None:
        """Its way out does not wait for a disk that is full: where this is not saved, it is ended all the same."""
        try:
            self.place(instance, "leaving")
        except StateWriteError as error:
            log.warning("%s leaves unsaved: %s", instance.record.key, error.detail)

    def forget(self, instance: Instance) -> None:
        """A process that is gone. One that cannot be forgotten is found dead by the next agent, and forgotten then."""
        try:
            self.store.delete(ENGINE, instance.record.key)
        except StateWriteError as error:
            log.warning("%s is gone and not forgotten: %s", instance.record.key, error.detail)

    def want(self, deployment: Deployment) -> None:
        """What is to run from now on, also after a crash."""
        self.group(deployment.name).deployment = deployment
        self.store.put(DEPLOYMENT, deployment.name, deployment)

    def want_no_more(self, name: str) -> None:
        """Nothing is to run under this name."""
        self.group(name).deployment = None
        self.store.delete(DEPLOYMENT, name)

    def saved(self) -> tuple[dict[str, Deployment], dict[str, EngineRecord]]:
        """What an earlier agent left on disk."""
        return self.store.all(DEPLOYMENT, Deployment), self.store.all(ENGINE, EngineRecord)

    def booted(self, boot: str) -> bool:
        """Whether the machine was started again since this state was used last, by an id that each start has."""
        known = self.store.all(BOOT, _Boot).get(BOOT)
        if known is None or known.id != boot:
            self.store.put(BOOT, BOOT, _Boot(id=boot))
        return known is not None and known.id != boot

    def note(self, name: str, kind: str, text: str, by: str) -> None:
        """A line in an engine's timeline. A disk that is full must not keep anybody from acting."""
        entry = TimelineEntry(t=time.time(), kind=kind, text=text, by=by)
        self.store.try_note(f"engine:{name}", entry)

    def publish(self, name: str) -> None:
        """Tell watchers how an engine is now; one that is gone is dropped."""
        group = self._groups.get(name)
        self.hub.put_engines(name, tuple(group.statuses()) if group else ())
        if group and group.empty and group.deployment is None:
            del self._groups[name]
