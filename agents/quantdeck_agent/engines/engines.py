"""The engines of a host as one thing: its parts, joined."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from quantdeck_agent.engines.command import shown_command
from quantdeck_agent.engines.copying import Copier, Fetch
from quantdeck_agent.engines.keeper import Keeper
from quantdeck_agent.engines.operations import Operations
from quantdeck_agent.engines.prepare import Preparer
from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_agent.engines.restore import Restorer
from quantdeck_agent.engines.rollouts import Rollouts
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.starts import Holders, Starts
from quantdeck_agent.engines.supervisor import Supervisor, template_of
from quantdeck_agent.hub import Hub
from quantdeck_agent.models.store import Use
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import Store
from quantdeck_core.engines.operation import finish
from quantdeck_core.engines.reading import EngineReading
from quantdeck_core.errors import NotFoundError, QuantdeckError
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.protocol.host import HostSample
from quantdeck_core.protocol.operation import Intended, Operation
from quantdeck_core.protocol.requests import Deploy

_TIMELINE = 50


class Engines:
    """What other parts of the agent know of engines.

    Attributes:
        supervisor: takes what people ask.
        operations: what goes on.
        keeper: looks after those that serve.

    Args:
        owner: begins the marker of every process, so that they are found again.
        sample: the newest reading of the machine.
        holders: which processes hold memory on which GPU.
        digest: SHA-256 of a checkpoint.
        fetch: brings a checkpoint here that a profile names the source of.
        switched: called when other processes have a name's traffic, or none has; routes the gateway, then returns.
        drained: waits until a replica has no request in flight.
        boot: an id of the machine's present start.
    """

    def __init__(
        self,
        paths: Paths,
        store: Store,
        hub: Hub,
        owner: str,
        *,
        sample: Callable[[], HostSample],
        holders: Holders,
        digest: Callable[[Path], Awaitable[str]],
        fetch: Fetch,
        switched: Callable[[str], Awaitable[None]],
        drained: Callable[[str], Awaitable[None]],
        boot: str,
    ) -> None:
        self._roster = Roster(paths, store, hub)
        self.operations = Operations(store, hub)
        self._starts = Starts(self._roster, digest, holders, sample)
        preparer = Preparer(paths.models, sample, paths.state)
        self._rollouts = Rollouts(
            self._roster,
            self.operations,
            self._starts,
            Copier(fetch, preparer),
            owner,
            switched,
            drained,
            self._operation_failed,
        )
        self.supervisor = Supervisor(self._roster, self.operations, self._starts, preparer, self._rollouts)
        self.keeper = Keeper(self._roster, self.supervisor, self._starts, switched)
        self._restorer = Restorer(
            self._roster, self.operations, self._rollouts, self.supervisor, self.keeper, self._starts, owner, boot
        )

    def _operation_failed(self, operation: Operation, error: QuantdeckError) -> None:
        self.keeper.operation_failed(operation, error)

    def serving(self, name: str) -> tuple[EngineRecord, ...]:
        """The replicas behind a name that may get requests."""
        group = self._roster.find(name)
        return group.serving() if group else ()

    def deployment(self, name: str) -> Deployment | None:
        """What is wanted under a name; None where nothing is."""
        group = self._roster.find(name)
        return group.deployment if group else None

    def statuses(self, name: str) -> tuple[EngineStatus, ...]:
        """Its replicas as watchers see them."""
        group = self._roster.find(name)
        return tuple(group.statuses()) if group else ()

    def sha256(self, name: str) -> str:
        """Of the checkpoint that serves under a name; empty until it was read."""
        group = self._roster.find(name)
        return next((one.sha256 for one in group.active if one.sha256), "") if group else ""

    def proven(self, name: str, now: float) -> dict[str, float]:
        """By the keys of the replicas that serve, UNIX time of the last token, or sign of one, that each gave."""
        group = self._roster.find(name)
        up = [one for one in group.active if one.state == "ready"] if group else []
        return {one.record.key: now - (time.monotonic() - one.liveness.alive_at) for one in up}

    def readings(self) -> dict[str, EngineReading]:
        """What is measured of each replica that answers, by its title."""
        up = (one for group in self._roster.groups() for one in group.active if one.state == "ready")
        return {one.record.title: one.reading for one in up}

    def uses(self) -> Iterator[Use]:
        """Checkpoints that processes have open or are about to open."""
        for group in self._roster.groups():
            for instance in group.instances():
                if not instance.record.external:
                    yield Use(Path(instance.record.model_path), f"engine {instance.record.title}", running=True)

    def present(self) -> set[str]:
        """Keys of all processes that are there, whatever becomes of them."""
        return {instance.record.key for group in self._roster.groups() for instance in group.instances()}

    def leaders(self) -> frozenset[int]:
        """PIDs of the processes that were started, each the leader of its session."""
        known = (one.record.identity for group in self._roster.groups() for one in group.instances())
        return frozenset(identity.pid for identity in known if identity)

    def detail(self, name: str) -> EngineDetail:
        """All that is known of an engine.

        Raises:
            NotFoundError: none of this name was ever here.
        """
        if not self._roster.knows(name):
            raise NotFoundError(f"No engine is called {name!r} here.", "`quantdeck fleet` lists them.")
        group = self._roster.find(name)
        return EngineDetail(
            name=name,
            profile=group.deployment.profile if group and group.deployment else None,
            replicas=tuple(group.statuses()) if group else (),
            starts=self._starts.of(name),
            timeline=self._roster.store.timeline(f"engine:{name}", _TIMELINE),
        )

    async def intended(self, ask: Deploy) -> Intended:
        """What a deployment would do.

        Raises:
            QuantdeckError: it cannot be done at all.
        """
        kind, name, prepared, replicas, expected = await self.supervisor.intend(ask)
        argv, env = shown_command(template_of(name, prepared))
        return Intended(
            kind=kind,
            engine=name,
            replicas=len(replicas),
            version=prepared.version,
            model_path=prepared.model_path,
            argv=argv,
            env=env,
            planned_bytes=prepared.planned_bytes,
            room=prepared.room,
            refusal=prepared.refusal,
            outage_s=expected.seconds if expected else None,
            outage=expected.words if expected else "",
            note=prepared.note,
        )

    async def restore(self) -> None:
        """Take over what an earlier agent left."""
        await self._restorer.restore()

    async def close(self) -> None:
        """The agent ends; engines do not, and operations go on with the next one."""
        await self._rollouts.abandon()
        await self._starts.close()

    async def stop_all(self) -> None:
        """End every engine now; for an agent that takes its engines with it."""
        await self._rollouts.abandon()
        everything = [instance for group in self._roster.groups() for instance in group.instances()]
        await asyncio.gather(*(instance.stop() for instance in everything))
        for instance in everything:
            self._roster.forget(instance)
        for group in self._roster.groups():
            self._roster.want_no_more(group.name)
        for operation in self.operations.under_way():
            self.operations.put(finish(operation, time.time()))
