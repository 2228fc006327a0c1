"""What a start waits for, and what is remembered of it: room on its GPU, the checkpoint's hash, what has changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from quantdeck_agent.engines.command import shown_command
from quantdeck_agent.engines.errors import EngineFailedError
from quantdeck_agent.engines.instance import Instance
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.engines.roster import Roster
from quantdeck_agent.engines.taken import measure
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.cells import plural
from quantdeck_core.protocol.host import HostSample

ROOM_DEADLINE_S = 60.0
POLL_S = 0.2
KEPT = 20
log = logging.getLogger("quantdeck.agent")

Holders = Callable[[], Mapping[int, frozenset[int]]]
"""GPU -> numbers of the processes that hold memory on it, as far as the driver says."""


def holders_of(sample: HostSample) -> dict[int, frozenset[int]]:
    """From a reading; a GPU that does not list its processes is left out."""
    return {
        gpu.index: frozenset(process.pid for process in gpu.processes)
        for gpu in sample.gpus
        if gpu.processes is not None
    }


class _Starts(msgspec.Struct, frozen=True, kw_only=True):
    starts: tuple[Start, ...] = ()


class Starts:
    """The history of starts, newest last.

    Args:
        digest: SHA-256 of a checkpoint; reads all of it, or remembers.
        holders: who holds GPU memory.
        sample: the newest reading of the machine.
    """

    def __init__(
        self,
        roster: Roster,
        digest: Callable[[Path], Awaitable[str]],
        holders: Holders,
        sample: Callable[[], HostSample],
    ) -> None:
        self._roster, self._digest, self._holders, self._sample = roster, digest, holders, sample
        self._gone: set[int] = set()
        """Processes that ended here; their memory must be free before others start."""
        self._tasks: set[asyncio.Task[None]] = set()

    def ended(self, pids: set[int]) -> None:
        """Processes that were ended: the driver frees their memory a moment later."""
        self._gone |= pids

    async def room(self, record: EngineRecord) -> None:
        """Wait until no ended process holds memory of its GPUs.

        Raises:
            EngineFailedError: one still does at the deadline.
        """
        deadline = time.monotonic() + ROOM_DEADLINE_S
        while record.gpus and self._gone:
            held = self._holders()
            # One that holds nothing any more is over: its number may be another's tomorrow.
            self._gone &= {pid for pids in held.values() for pid in pids}
            holding = {pid for gpu in record.gpus for pid in held.get(gpu, frozenset())} & self._gone
            if not holding:
                return
            if time.monotonic() > deadline:
                raise EngineFailedError(
                    f"GPU {', '.join(map(str, record.gpus))}: memory is still held by "
                    f"{plural(len(holding), 'ended process')} ({', '.join(map(str, sorted(holding)))}).",
                    "Look with nvidia-smi; a process in the driver that does not end needs a reboot or a GPU reset.",
                )
            await asyncio.sleep(POLL_S)

    async def hash(self, instance: Instance) -> str:
        """Find out what exactly it serves, beside the load."""
        instance.sha256 = await self._digest(Path(instance.record.model_path))
        self._roster.publish(instance.record.name)
        return instance.sha256

    def hash_again(self, instance: Instance) -> None:
        """The same for a process that was taken over."""
        self._keep(asyncio.create_task(self._hash_quietly(instance)))

    async def _hash_quietly(self, instance: Instance) -> None:
        try:
            await self.hash(instance)
        except QuantdeckError as error:
            log.warning("%s: its checkpoint is not hashed: %s", instance.record.key, error.detail)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leave what is being read."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def remember(self, instance: Instance, hashing: asyncio.Task[str], by: str) -> None:
        """Note a start once its checkpoint is known, and what is another than at the one before."""
        self._keep(asyncio.create_task(self._remember(instance, hashing, by)))
        self._keep(asyncio.create_task(self._measure(instance)))

    async def _measure(self, instance: Instance) -> None:
        taken = await asyncio.to_thread(measure, instance.record, instance.log, self._sample())
        group = self._roster.find(instance.record.name)
        if taken is not None and group and instance in group.instances():  # it may have been stopped meanwhile
            instance.record = msgspec.structs.replace(instance.record, measured_bytes=taken)
            self._roster.save(instance)
            self._roster.publish(instance.record.name)

    async def _remember(self, instance: Instance, hashing: asyncio.Task[str], by: str) -> None:
        record = instance.record
        try:
            sha256 = await hashing
        except QuantdeckError as error:
            log.warning("%s: its checkpoint is not hashed: %s", record.key, error.detail)
            sha256 = ""
        start = Start(
            generation=record.generation,
            replica=record.replica,
            t=time.time(),
            profile=record.profile.name,
            model=record.model,
            sha256=sha256,
            argv=shown_command(record)[0],
            version=record.version,
        )
        before = self.of(record.name)
        changed = changes(before[-1], start) if before else ()
        self._roster.store.put("starts", record.name, _Starts(starts=(*before, start)[-KEPT:]))
        text = f"{record.key} started: {record.model} {sha256[:12]}, {record.profile.engine} {record.version}".rstrip()
        self._roster.note(record.name, "start", "; ".join((text, *changed)), by)
        if changed and by == "quantdeck":
            # The lesson's first root cause: a restart that loaded something else than what was tested.
            self._roster.hub.alarm(time.time(), "warn", f"{record.title} restarted with a change: {'; '.join(changed)}")

    def of(self, name: str) -> tuple[Start, ...]:
        """The last starts of an engine, oldest first."""
        known = self._roster.store.all("starts", _Starts).get(name)
        return known.starts if known else ()

    def last_ready_s(self, name: str) -> float | None:
        """Seconds that the present process took to become ready."""
        group = self._roster.find(name)
        return group.active[0].record.ready_s if group and group.active else None
