"""All engines of a host: what runs under which name, how one replaces another, and what survived the agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_agent.engines.checkpoint import resolve_model
from quantdeck_agent.engines.command import require_startable
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.record import EngineRecord, LastGeneration, Place
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.ports import free_port
from quantdeck_agent.process.spawn import reap
from quantdeck_agent.store import Store
from quantdeck_agent.telemetry.scrape import Scraper
from quantdeck_agent.telemetry.sessions import SessionMemory
from quantdeck_core.engines.reading import EngineReading
from quantdeck_core.errors import ConflictError, NotFoundError, QuantdeckError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.experiment import TimelineEntry

KIND = "engine"
GENERATION = "generation"
WATCH_S = 0.25
OBSERVE_S = 1.0


class NameInUseError(ConflictError):
    """An engine runs under this name."""

    code = "name-in-use"
    title = "Name in use"


class Supervisor:
    """Starts, watches, replaces and adopts engines.

    Args:
        owner: begins the marker of every process, so that they are found again.
        switched: called when another process has a name's traffic, or none has; routes the gateway, then returns.
        drained: waits until a replica has no request in flight.
    """

    def __init__(
        self,
        paths: Paths,
        store: Store,
        hub: Hub,
        owner: str,
        switched: Callable[[str], Awaitable[None]],
        drained: Callable[[str], Awaitable[None]],
    ) -> None:
        self._paths, self._store, self._hub, self._owner = paths, store, hub, owner
        self._switched, self._drained = switched, drained
        self._active: dict[str, Instance] = {}
        self._coming: dict[str, Instance] = {}
        self._notes: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._scraper, self._memory = Scraper(), SessionMemory()

    # What others ask

    def serving(self, name: str) -> EngineRecord | None:
        """The record behind a name while it is ready, else None."""
        instance = self._active.get(name)
        return instance.record if instance and instance.state == "ready" else None

    def known(self, name: str) -> EngineRecord | None:
        """The record behind a name, ready or not."""
        instance = self._active.get(name) or self._coming.get(name)
        return instance.record if instance else None

    def readings(self) -> dict[str, EngineReading]:
        """What is measured of each engine that answers."""
        return {name: one.reading for name, one in self._active.items() if one.state == "ready"}

    def deploy(self, profile: Profile, name: str, replace: bool, by: str) -> int:
        """Begin to start an engine; returns its generation. It is persisted before it is started.

        Raises:
            EngineUnsupportedError, InputError, NameInUseError, ModelPathError, ModelMissingError, PortInUseError,
            StartError: nothing was started.
        """
        require_startable(profile)
        old = self._active.get(name)
        if name in self._coming:
            raise NameInUseError(f"{name} is being deployed already.", "Wait until it is ready.")
        if old and old.state in ("draining", "stopping"):
            raise NameInUseError(f"{name} is being stopped.", "Wait until it is gone.")
        if old and not replace and old.state != "failed":
            raise NameInUseError(
                f"{name} runs already (generation {old.record.generation}).",
                "Use --replace to put the new one in its place, or another --name.",
            )
        model = resolve_model(self._paths.models, profile.model)
        record = EngineRecord(
            name=name,
            generation=self._next_generation(name),
            profile=profile,
            model_path=str(model),
            port=free_port(profile.serve.port or 0),
            place="coming",
            started_at=time.time(),
        )
        with self._store.transaction():
            self._store.put(GENERATION, name, LastGeneration(generation=record.generation))
            self._store.put(KIND, record.key, record)
        instance = Instance(record, self._paths.logs, lambda: self._publish(name))
        try:
            self._store.put(KIND, record.key, instance.spawn(self._owner))
        except QuantdeckError:
            self._store.delete(KIND, record.key)
            raise
        self._note(
            name, "replace" if old else "deploy", f"{name}.{record.generation}: {profile.name}, {model.name}", by
        )
        self._coming[name] = instance
        self._publish(name)
        self._run(instance.hash_checkpoint())
        self._run(self._bring_up(instance))
        return record.generation

    def _next_generation(self, name: str) -> int:
        last = self._store.all(GENERATION, LastGeneration).get(name)
        return last.generation + 1 if last else 1

    def stop(self, name: str, by: str) -> None:
        """Begin to drain and end an engine.

        Raises:
            NotFoundError: nothing runs under this name.
        """
        leaving = [one for one in (self._coming.pop(name, None), self._active.get(name)) if one]
        if not leaving:
            raise NotFoundError(f"No engine is called {name!r} here.", "`quantdeck fleet` lists them.")
        for instance in leaving:
            if instance.state not in ("draining", "stopping"):
                self._note(name, "stop", f"{instance.record.key} stopped", by)
                self._run(self._retire(instance))

    # Life of one engine

    async def _bring_up(self, instance: Instance) -> None:
        name = instance.record.name
        try:
            await instance.until_ready()
        except QuantdeckError as error:
            await self._gave_up(instance, error)
            return
        if self._coming.get(name) is not instance:
            return  # stopped meanwhile
        del self._coming[name]
        old = self._active.get(name)
        self._active[name] = instance
        self._notes.pop(name, None)
        self._place(instance, "active")
        await self._switched(name)
        if old:
            await self._retire(old)

    async def _gave_up(self, instance: Instance, error: QuantdeckError) -> None:
        name = instance.record.name
        if self._coming.get(name) is not instance:
            return
        await instance.stop()
        del self._coming[name]
        self._store.delete(KIND, instance.record.key)
        self._hub.alarm(time.time(), "fail", f"{name}: {error.detail}")
        self._note(name, "engine", f"{instance.record.key} failed: {error.detail}", "quantdeck")
        if name in self._active:
            self._notes[name] = f"replacement failed: {error.detail}"
        else:
            instance.fail(error.info())
            self._active[name] = instance
        self._publish(name)

    async def _retire(self, instance: Instance) -> None:
        """Take it out of the gateway, let its answers end, then end it."""
        name = instance.record.name
        self._place(instance, "leaving")
        instance.draining()
        if self._active.get(name) is instance:
            await self._switched(name)
        await self._drained(instance.record.key)
        await instance.stop()
        self._store.delete(KIND, instance.record.key)
        if self._active.get(name) is instance:
            del self._active[name]
        self._publish(name)

    def _place(self, instance: Instance, place: Place) -> None:
        instance.record = msgspec.structs.replace(instance.record, place=place)
        self._store.put(KIND, instance.record.key, instance.record)

    # Beginning and end of the agent

    def restore(self) -> None:
        """Take over the engines that outlived the last agent, and begin to end what was half done.

        When this returns, everything that serves is known: only then may the gateway be told anything.
        """
        for record in self._store.all(KIND, EngineRecord).values():
            name = record.name
            instance = Instance(record, self._paths.logs, lambda name=name: self._publish(name))  # type: ignore[misc]
            if record.place == "active" and instance.alive():
                self._active[name] = instance
                self._run(instance.hash_checkpoint())
            elif record.place == "active":
                instance.fail(instance.exit_error())
                self._active[name] = instance
            else:
                self._run(self._retire(instance))
            self._publish(name)

    async def watch(self) -> None:
        """Notice engines that end, and read their counters; runs until cancelled."""
        observed = 0.0
        while True:
            reap()
            for name, instance in list(self._active.items()):
                if instance.state == "ready" and not instance.alive():
                    instance.fail(instance.exit_error())
                    detail = instance.error.detail if instance.error else ""
                    self._note(name, "engine", detail, "quantdeck")
                    self._hub.alarm(time.time(), "fail", detail)
                    await self._switched(name)
            if time.monotonic() - observed >= OBSERVE_S:
                observed = time.monotonic()
                ready = [instance for instance in self._active.values() if instance.state == "ready"]
                leaders = [one.record.identity.pid for one in ready if one.record.identity]
                memory = await asyncio.to_thread(self._memory.read, observed, leaders)
                await asyncio.gather(*(instance.observe(self._scraper, memory) for instance in ready))
                for name in self._active:
                    self._publish(name)
            await asyncio.sleep(WATCH_S)

    async def stop_all(self) -> None:
        """End every engine now; for an agent that takes its engines with it."""
        for task in self._tasks:
            task.cancel()
        everything = [*self._active.values(), *self._coming.values()]
        await asyncio.gather(*(instance.stop() for instance in everything))
        for instance in everything:
            self._store.delete(KIND, instance.record.key)

    async def close(self) -> None:
        """Close the connections to all engines; they go on."""
        await self._scraper.close()

    # Telling

    def _publish(self, name: str) -> None:
        active, coming = self._active.get(name), self._coming.get(name)
        if active:
            note = f"replacement {coming.record.generation}: {coming.state}" if coming else self._notes.get(name, "")
            self._hub.put_engine(active.status(note))
        elif coming:
            self._hub.put_engine(coming.status())
        else:
            self._hub.remove_engine(name)

    def _note(self, name: str, kind: str, text: str, by: str) -> None:
        self._store.note(f"engine:{name}", TimelineEntry(t=time.time(), kind=kind, text=text, by=by))

    def _run(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            await work

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler({"message": "engine task failed", "exception": error})
