"""What people and the clock ask of a host's engines; each answer is an operation."""

from __future__ import annotations

import time
from typing import NamedTuple

import msgspec

from quantdeck_agent.engines.coming import coming_records
from quantdeck_agent.engines.errors import NameInUseError, NoRoomBesideError
from quantdeck_agent.engines.group import Group
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.operations import Operations
from quantdeck_agent.engines.prepare import Prepared, Preparer, pinned_ports
from quantdeck_agent.engines.record import Deployment, EngineRecord
from quantdeck_agent.engines.rollouts import Rollouts
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.starts import Starts
from quantdeck_core.engines.operation import steps_of
from quantdeck_core.engines.outage import Outage, outage
from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.operation import Operation, OperationKind
from quantdeck_core.protocol.requests import Deploy, Restart, Scale

SYSTEM = "quantdeck"


class Intention(NamedTuple):
    """What would be done, checked and not begun."""

    kind: OperationKind
    name: str
    prepared: Prepared
    replicas: range
    outage: Outage | None


class Supervisor:
    """Deploys, replaces, restarts, scales and stops engines."""

    def __init__(
        self, roster: Roster, operations: Operations, starts: Starts, preparer: Preparer, rollouts: Rollouts
    ) -> None:
        self._roster, self._operations, self._starts = roster, operations, starts
        self._preparer, self._rollouts = preparer, rollouts

    async def intend(self, ask: Deploy) -> Intention:
        """Check a deployment without beginning anything.

        Raises:
            QuantdeckError: it cannot be done at all.
        """
        name = ask.name or ask.profile.name
        group = self._roster.find(name)
        running = [one for one in group.active if one.state != "failed"] if group else []
        self._operations.require_free(name)
        if running and not ask.replace:
            raise NameInUseError(
                f"{name} runs already (generation {running[0].record.generation}).",
                "Use --replace to put the new one in its place, or another --name.",
            )
        replicas = range(ask.profile.serve.replicas or 1)
        return await self._intention("replace" if running else "deploy", name, ask.profile, replicas, running, ask.swap)

    async def _intention(
        self, kind: OperationKind, name: str, profile: Profile, replicas: range, running: list[Instance], swap: bool
    ) -> Intention:
        held = tuple((one.record.gpus, one.record.measured_bytes or one.record.planned_bytes or 0) for one in running)
        prepared = await self._preparer.prepare(profile, replicas, held)
        pinned = bool({one.record.port for one in running} & pinned_ports(profile, replicas))
        pinned = pinned or (bool(running) and profile.nodes is not None)
        expected = None
        if prepared.beside or (pinned and prepared.refusal is None):
            expected = outage(profile.engine, prepared.weights_bytes, self._starts.last_ready_s(name))
            if swap:
                return Intention("swap", name, prepared._replace(refusal=None), replicas, expected)
        return Intention(kind, name, prepared, replicas, expected)

    async def deploy(self, ask: Deploy) -> Operation:
        """Begin to start an engine, or to put another in its place.

        Raises:
            QuantdeckError: it was refused; nothing was started.
        """
        return self._begin(await self.intend(ask), ask.force, ask.by)

    async def restart(self, name: str, ask: Restart) -> Operation:
        """Begin to start its processes anew.

        Raises:
            QuantdeckError: it was refused; nothing was changed.
        """
        group = self._known(name)
        if group.deployment is None:
            raise ConflictError(f"{name} has never served, so there is nothing to start anew.", "Deploy it again.")
        self._operations.require_free(name)
        running = [one for one in group.active if one.state != "failed"]
        wanted = group.deployment
        replicas = range(wanted.replicas)
        intention = await self._intention("restart", name, wanted.profile, replicas, running, ask.swap)
        return self._begin(intention, ask.force, ask.by)

    async def scale(self, name: str, ask: Scale) -> Operation:
        """Begin to start more replicas, or to end the last ones.

        Raises:
            QuantdeckError: it was refused; nothing was changed.
        """
        group = self._known(name)
        wanted = group.deployment
        if wanted is None:
            raise ConflictError(f"{name} does not serve.", "Deploy it first.")
        self._operations.require_free(name)
        if ask.replicas == wanted.replicas:
            raise ConflictError(f"{name} has {wanted.replicas} replicas already.", "Name another number.")
        if ask.replicas < wanted.replicas:
            return self._scale_down(group, wanted, ask)
        replicas = range(wanted.replicas, ask.replicas)
        prepared = await self._preparer.prepare(wanted.profile, replicas)
        return self._begin(Intention("scale", name, prepared, replicas, None), ask.force, ask.by)

    def _scale_down(self, group: Group, wanted: Deployment, ask: Scale) -> Operation:
        operation = self._operation("scale", group.name, ask.by, starts=False)

        def fewer() -> None:
            self._roster.want(msgspec.structs.replace(wanted, replicas=ask.replicas))
            for instance in group.active:
                if instance.record.replica >= ask.replicas:
                    self._roster.place(instance, "leaving")

        self._rollouts.begin(operation, [], fewer)
        return operation

    async def stop(self, name: str, by: str) -> Operation:
        """Begin to drain and end an engine.

        Raises:
            NotFoundError: nothing runs under this name.
        """
        group = self._known(name)
        running = self._operations.of_engine(name)
        if running and running.kind == "stop":
            return running
        if running:
            await self._rollouts.cancel(running, by or "somebody")
        operation = self._operation("stop", name, by)
        self._rollouts.begin(operation, [], lambda: self._roster.want_no_more(name))
        self._roster.note(name, "stop", f"{name} stopped", by)
        group.due.clear()
        return operation

    async def cancel(self, identifier: str, by: str) -> Operation:
        """End an operation and undo what it has begun.

        Raises:
            NotFoundError, ConflictError: there is none, it has ended, or it is a stop.
        """
        operation = self._operations.named(identifier)
        if operation.ended is not None:
            raise ConflictError(f"{identifier} has ended already ({operation.state}).", "There is nothing to cancel.")
        if operation.kind == "stop":
            raise ConflictError(
                f"{identifier} ends {operation.engine}, which cannot be taken back.", "Deploy it again."
            )
        if operation.state != "cancelling" and self._rollouts.past_return(operation):
            raise ConflictError(
                f"{identifier} cannot be taken back: {operation.engine} serves what was asked for already.",
                "Wait until it is done, then change it again.",
            )
        await self._rollouts.cancel(operation, by or "somebody")
        return self._operations.named(identifier)

    def busy(self, name: str) -> bool:
        """Whether something is being done with an engine."""
        return self._operations.of_engine(name) is not None

    def _known(self, name: str) -> Group:
        group = self._roster.find(name)
        if group is None:
            raise NotFoundError(f"No engine is called {name!r} here.", "`quantdeck fleet` lists them.")
        return group

    # What the agent itself asks

    async def tidy(self, name: str) -> None:
        """Begin to end what an operation left behind that is not known any more."""
        group = self._known(name)
        if group.deployment is None:
            await self.stop(name, SYSTEM)
            return

        def leave() -> None:
            for instance in [*group.coming, *group.leaving]:
                self._roster.place(instance, "leaving")

        self._rollouts.begin(self._operation("scale", name, SYSTEM, starts=False), [], leave)

    async def recover(self, name: str, replica: int, why: str) -> None:
        """Begin to start a replica that ended by itself.

        Raises:
            QuantdeckError: its profile cannot be used any more.
        """
        group = self._roster.find(name)
        if group is None or group.deployment is None or self._operations.of_engine(name):
            return
        wanted = group.deployment
        replicas = range(replica, replica + 1)
        prepared = await self._preparer.prepare(wanted.profile, replicas)
        if group.deployment is not wanted or self._operations.of_engine(name):
            return  # somebody has asked for something else meanwhile
        # What ran a moment ago is not refused for what somebody may have started meanwhile.
        self._begin(Intention("recover", name, prepared, replicas, None), True, SYSTEM, why)

    def _begin(self, intention: Intention, force: bool, by: str, why: str = "") -> Operation:
        kind, name, prepared, replicas, expected = intention
        self._operations.require_free(name)  # asked again: checking took a while
        if expected is not None and kind != "swap" and not (force and prepared.beside):
            raise NoRoomBesideError(
                f"{name} cannot be replaced while it serves: {_why_not_beside(prepared)}",
                f"--swap ends it first: nobody is served by it for {expected.words}.",
            )
        forced = prepared.require(force, by) if kind != "recover" else ""
        if prepared.copies and force:
            forced = f"{by or 'somebody'}: before its checkpoint was here"
        group = self._roster.find(name)
        running = group.active if group else []
        first = self._roster.next_generations(name, len(replicas))
        operation = self._operation(
            kind, name, by, profile=prepared.profile, replicas=replicas, generation=first, forced=forced, why=why,
            outage_s=expected.seconds if kind == "swap" and expected else 0.0, copies=prepared.copies,
        )  # fmt: skip
        template = template_of(name, prepared)
        previous = running[0].record if running else None
        leaving = frozenset(one.record.port for one in running) if kind == "swap" else frozenset()
        records = coming_records(operation, template, previous, prepared.gpus, leaving)
        title = f"{name}.{first}: {prepared.profile.name}, {template.model}"
        parts = (title, f"forced by {forced}" if forced else "", why, prepared.note)
        self._rollouts.begin(operation, records)
        self._roster.note(name, kind, "; ".join(filter(None, parts)), by)
        return operation

    def _operation(
        self, kind: OperationKind, name: str, by: str, *, profile: Profile | None = None, replicas: range = range(0),
        generation: int = 0, forced: str = "", why: str = "", outage_s: float = 0.0, starts: bool = True,
        copies: bool = False,
    ) -> Operation:  # fmt: skip
        external = profile is not None and profile.engine == "external"
        return Operation(
            id=self._operations.next_id(),
            kind=kind,
            engine=name,
            by=by,
            at=time.time(),
            profile=profile,
            replicas=tuple(replicas),
            generation=generation,
            forced=forced,
            why=why,
            outage_s=outage_s,
            steps=steps_of(kind, external=external, starts=starts, copies=copies),
        )


def _why_not_beside(prepared: Prepared) -> str:
    if prepared.refusal is not None:
        return prepared.refusal.detail
    if prepared.profile.nodes is not None:
        return "its hosts' GPUs and Ray's ports are its own."
    return f"port {prepared.profile.serve.port} is its own."


def template_of(name: str, prepared: Prepared) -> EngineRecord:
    """What the records of a start have in common."""
    return EngineRecord(
        name=name,
        generation=0,
        epoch=0,
        profile=prepared.profile,
        model_path=prepared.model_path,
        program=prepared.program,
        version=prepared.version,
        scratch=prepared.scratch,
        fingerprint=prepared.fingerprint,
        planned_bytes=prepared.planned_bytes,
        port=0,
        place="coming",
        started_at=time.time(),
    )
