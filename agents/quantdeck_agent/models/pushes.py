"""Models that consoles send: chunks in any order, from where it was interrupted, whoever was killed."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import time
from collections.abc import AsyncIterator

import msgspec

from quantdeck_agent.models import placing
from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.receiving import ChunkError, Receiving, link_known, packed, staged, take
from quantdeck_agent.models.records import PushPlan, Task, Wanted
from quantdeck_agent.models.settling import put_in_place, settle
from quantdeck_agent.models.staging import SYNC_BYTES, SYNC_S, Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.chunks import CHUNK_BYTES, length_of, missing
from quantdeck_core.artifacts.manifest import FileEntry, check_manifest
from quantdeck_core.artifacts.names import ArtifactNameError
from quantdeck_core.artifacts.room import NoRoomError
from quantdeck_core.errors import ConflictError
from quantdeck_core.protocol.models import ENDED, BeginPush, Job, Push

_WRITES_AT_ONCE = 16
"""Chunks in memory, of all pushes together: 64 MiB."""


class NotReceivingError(ConflictError):
    """The push has ended, is being checked, or is not complete."""

    code = "push-state"
    title = "The push is not in that state"


class Pushes:
    """All pushes of a host."""

    def __init__(self, store: ModelStore, jobs: Jobs) -> None:
        self._store, self._jobs = store, jobs
        self._receiving: dict[str, Receiving] = {}
        self._writes = asyncio.Semaphore(_WRITES_AT_ONCE)

    def restore(self) -> None:
        """Go on with what the last agent was checking."""
        for task in self._jobs.all():
            if task.push and task.job.state == "checking":
                self._check(task.job.id)

    async def begin(self, ask: BeginPush) -> Push:
        """Announce a push, join one, or learn that the model is there.

        Raises:
            ArtifactNameError: a name cannot be used.
            ExistsError, InUseError: the place is taken.
            ConflictError: another push or pull of this name goes on.
            NoRoomError: the disk is too full.
            StagingError: the staging folder cannot be made.
        """
        check_manifest(ask.manifest)
        self._store.path_of(ask.name)
        if ask.manifest.kind == "file" and ask.manifest.files[0].path != ask.name.rpartition("/")[2]:
            raise ArtifactNameError("The file is not called like the model.", "Send it under the model's last part.")
        identity = hashlib.sha256(f"push\0{ask.name}\0{ask.manifest.digest}".encode()).hexdigest()[:16]
        task = self._jobs.find(identity)
        active = self._jobs.active(ask.name)
        if active and active.job.id != identity:
            raise _taken(active.job)
        if task and task.job.state in ("moving", "waiting", "checking"):
            return await self._join(task)
        if self._is_there(ask):
            return self._nothing_to_do(identity, ask)
        placing.require_place(self._store, ask.name, ask.manifest.kind, ask.replace)
        receiving = staged(self._staging(identity), ask, task.push if task else None)
        arrived = receiving.arrived(ask)
        self._store.require_room(ask.manifest.size - arrived, identity)
        await self._make(receiving)
        arrived += link_known(self._store, receiving, ask)
        now = time.time()
        job = Job(
            id=identity, kind="push", name=ask.name, state="moving", by=ask.by, created_at=now, touched_at=now,
            bytes_total=ask.manifest.size, bytes_done=arrived, digest=ask.manifest.digest, source=f"push by {ask.by}",
        )  # fmt: skip
        self._receiving[identity] = receiving
        self._jobs.put(Task(job=job, request_id=ask.request_id, push=PushPlan(ask=ask, have=packed(receiving.have))))
        return self.status(identity)

    async def _join(self, task: Task) -> Push:
        assert task.push  # noqa: S101 - the identity is that of a push
        if task.job.state != "checking":
            receiving = self._of(task)
            await self._make(receiving)
            arrived = receiving.arrived(task.push.ask)
            self._store.require_room(task.push.ask.manifest.size - arrived, task.job.id)
            self._jobs.change(task.job.id, state="moving", bytes_done=arrived)
        return self.status(task.job.id)

    async def _make(self, receiving: Receiving) -> None:
        try:
            await asyncio.to_thread(receiving.staging.make)
        except OSError as error:
            raise _disk_error(error) from None

    def _is_there(self, ask: BeginPush) -> bool:
        record = self._store.record_of(ask.name)
        same = record is not None and record.manifest.digest == ask.manifest.digest
        return same and record is not None and self._store.unchanged(ask.name, record)

    def _nothing_to_do(self, identity: str, ask: BeginPush) -> Push:
        now = time.time()
        job = Job(
            id=identity, kind="push", name=ask.name, state="done", by=ask.by, created_at=now, touched_at=now,
            ended_at=now, bytes_total=ask.manifest.size, bytes_done=ask.manifest.size, digest=ask.manifest.digest,
            note="the same content is there already",
        )  # fmt: skip
        return Push(job=job, chunk_bytes=CHUNK_BYTES, missing=tuple(() for _ in ask.manifest.files))

    def status(self, identity: str) -> Push:
        """Where a push stands.

        Raises:
            NotFoundError: there is no such push.
        """
        task = self._jobs.get(identity)
        if not task.push:
            raise NotReceivingError(f"{identity} is a {task.job.kind}.", "Only pushes have chunks.")
        runs: tuple[tuple[tuple[int, int], ...], ...] = ()
        if task.job.state in ("waiting", "moving"):
            sizes = (entry.size for entry in task.push.ask.manifest.files)
            have = self._of(task).have
            runs = tuple(tuple(missing(bits, size)) for bits, size in zip(have, sizes, strict=True))
        return Push(job=self._jobs.view(task), chunk_bytes=CHUNK_BYTES, missing=runs)

    async def chunk(self, identity: str, part: int, offset: int, crc32: int, body: AsyncIterator[bytes]) -> int:
        """Take one chunk; bytes that have arrived in all.

        Raises:
            NotFoundError: there is no such push.
            NotReceivingError: it takes no chunks any more.
            ChunkError: not where a chunk begins, of another length, or damaged on the way; nothing of it counts.
            NoRoomError: the disk has become full.
        """
        task = self._jobs.get(identity)
        if not task.push or task.job.state not in ("moving", "waiting"):
            raise NotReceivingError(f"The push is {task.job.state}.", "Ask for its status.")
        entry = _entry(task.push, part, offset)
        receiving, index = self._of(task), offset // CHUNK_BYTES
        length = length_of(entry.size, index)
        async with self._writes:
            pieces, count = [], 0
            async for piece in body:
                count += len(piece)
                if count > length:
                    raise ChunkError(f"The chunk is longer than {length} bytes.", "Send exactly one chunk.")
                pieces.append(piece)
            if receiving.have[part] >> index & 1:
                return task.job.bytes_done  # another console was faster, or an answer was lost
            if count != length:
                raise ChunkError(f"The chunk has {count} bytes of {length}.", "Send it again.")
            try:
                await asyncio.to_thread(take, receiving.staging, part, offset, crc32, pieces)
            except OSError as error:
                raise _disk_error(error) from None
        task = self._jobs.get(identity)
        if task.job.state not in ("moving", "waiting"):
            raise NotReceivingError(f"The push is {task.job.state}.", "Ask for its status.")
        new = not receiving.have[part] >> index & 1
        receiving.have[part] |= 1 << index
        receiving.dirty.add(part)
        receiving.unsynced += length
        done = task.job.bytes_done + (length if new else 0)
        self._jobs.change(identity, durable=False, state="moving", bytes_done=done)
        overdue = time.monotonic() - receiving.synced_at >= SYNC_S
        if receiving.unsynced >= SYNC_BYTES or overdue:
            await self._sync(identity, receiving)
        return done

    async def finish(self, identity: str) -> Job:
        """Begin to check a push whose chunks have all arrived.

        Raises:
            NotFoundError: there is no such push.
            NotReceivingError: chunks are missing.
        """
        push = self.status(identity)
        if push.job.state in ENDED or push.job.state == "checking":
            return push.job
        if any(push.missing):
            raise NotReceivingError("Not all chunks have arrived.", "Ask for the push's status, and send the rest.")
        await self._sync(identity, self._of(self._jobs.get(identity)))
        self._check(identity)
        return self._jobs.view(self._jobs.get(identity))

    def _check(self, identity: str) -> None:
        self._jobs.change(identity, state="checking")
        self._jobs.meters[identity] = Meter()
        self._jobs.start(identity, lambda: self._check_and_place(identity))

    async def _check_and_place(self, identity: str) -> str:
        task = self._jobs.get(identity)
        assert task.push  # noqa: S101 - only pushes get here
        ask, staging = task.push.ask, self._staging(identity)
        if task.placing and (note := await settle(self._store, task, ask.manifest.digest, unverified=False)):
            staging.discard()
            return note
        wanted = [Wanted(path=e.path, size=e.size, sha256=e.sha256) for e in ask.manifest.files]
        try:
            manifest = await placing.check(self._store, staging, ask.manifest.kind, wanted, self._jobs.meters[identity])
        except placing.DamagedError as error:
            have = self._of(task).have
            for part in error.parts:
                have[part] = 0
            plan = msgspec.structs.replace(task.push, have=packed(have))
            self._jobs.put(msgspec.structs.replace(self._jobs.get(identity), push=plan))
            raise
        put_in_place(self._store, self._jobs, staging, identity, ask.name, manifest, ask.replace)
        placing.remember(self._store, task.job, manifest, unverified=False)
        self._receiving.pop(identity, None)
        await asyncio.to_thread(staging.discard)
        return "checked and in its place"

    def forget(self, identity: str) -> None:
        """A push that was cancelled: nothing of it stays."""
        self._receiving.pop(identity, None)
        self._staging(identity).discard()

    async def _sync(self, identity: str, receiving: Receiving) -> None:
        """What arrived until now is on the disk, and known to be."""
        async with receiving.syncing:
            have, dirty = list(receiving.have), set(receiving.dirty)
            receiving.dirty.clear()
            receiving.unsynced = 0
            receiving.synced_at = time.monotonic()
            try:
                await asyncio.to_thread(receiving.staging.sync, sorted(dirty))
            except OSError as error:
                receiving.dirty |= dirty
                raise _disk_error(error) from None
            task = self._jobs.get(identity)
            if task.push:
                plan = msgspec.structs.replace(task.push, have=packed(have))
                self._jobs.put(msgspec.structs.replace(task, push=plan))

    def _staging(self, identity: str) -> Staging:
        return Staging(self._store.root, identity)

    def _of(self, task: Task) -> Receiving:
        assert task.push  # noqa: S101 - only pushes get here
        known = self._receiving.get(task.job.id)
        if known is None:
            known = self._receiving[task.job.id] = staged(self._staging(task.job.id), task.push.ask, task.push)
        return known


def _entry(plan: PushPlan, part: int, offset: int) -> FileEntry:
    files = plan.ask.manifest.files
    if not 0 <= part < len(files):
        raise ChunkError(f"There is no file {part} in the manifest.", "Count from 0 in its order.")
    if offset < 0 or offset % CHUNK_BYTES or offset >= files[part].size:
        raise ChunkError(f"No chunk begins at {offset}.", f"Chunks begin at multiples of {CHUNK_BYTES}.")
    return files[part]


def _taken(job: Job) -> ConflictError:
    return ConflictError(
        f"Another {job.kind} of {job.name} goes on, by {job.by or 'somebody'}, with other content.",
        f"Wait for it, or end it: quantdeck model cancel {job.id}",
    )


def _disk_error(error: OSError) -> NoRoomError | ConflictError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoomError(
            "The disk became full during the transfer.",
            "Free some room (`quantdeck model gc`); what has arrived is kept, and the same command goes on.",
        )
    return ConflictError(
        f"The disk refused: {error.strerror}: {error.filename or 'the model root'}.",
        "Look at the host's disk, and at who may write to the model root.",
    )
