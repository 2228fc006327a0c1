"""One pull, from its listing to its place."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import httpx
import msgspec

from quantdeck_agent.models import placing
from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.pull_file import PullFile
from quantdeck_agent.models.records import PullPlan, Wanted
from quantdeck_agent.models.remote import Secret, client, hub_secret, shown
from quantdeck_agent.models.repository import endpoint, listing
from quantdeck_agent.models.settling import put_in_place, settle
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.origin import Origin, parse_origin

V = TypeVar("V")


class PullRun:
    """Works off one job's plan; what it finds out is kept with the plan.

    Attributes:
        staging: where the files come to lie.
    """

    def __init__(self, store: ModelStore, jobs: Jobs, identity: str) -> None:
        self._store, self._jobs, self._id = store, jobs, identity
        self.staging = Staging(store.root, identity)

    @property
    def _plan(self) -> PullPlan:
        plan = self._jobs.get(self._id).pull
        assert plan  # noqa: S101 - only pulls get here
        return plan

    def _keep(self, **changes: Any) -> None:
        task = self._jobs.get(self._id)
        plan = msgspec.structs.replace(self._plan, **changes)
        self._jobs.put(msgspec.structs.replace(task, pull=plan))

    async def work(self) -> str:
        """Fetch, check, place; the job's last note.

        Raises:
            QuantdeckError: why it failed.
        """
        task, ask = self._jobs.change(self._id, state="moving", bytes_done=0), self._plan.ask
        name = task.job.name
        if task.placing and (note := await settle(self._store, task, task.job.digest, self._unverified())):
            self.staging.discard()
            return note
        origin = parse_origin(ask.source)
        async with client(ask.proxy) as http:
            secret = hub_secret(endpoint()) if origin.kind == "hub" else None
            await self._list(http, origin, secret)
            if self._is_there():
                return "the same content is there already"
            placing.require_place(self._store, name, self._plan.kind, ask.replace)
            await asyncio.to_thread(self.staging.make)
            for part in range(len(self._plan.files)):
                await PullFile(self, part).fetch(http, secret)
        await self._check_and_place(name)
        return (
            "checked and in its place" if not self._unverified() else "in its place, UNVERIFIED: nobody named its hash"
        )

    async def _list(self, http: httpx.AsyncClient, origin: Origin, secret: Secret | None) -> None:
        if self._plan.files:
            return
        await asyncio.to_thread(self.staging.discard)  # of an older plan
        ask, commit = self._plan.ask, ""
        if origin.kind == "hub":
            commit, files = await listing(http, origin, ask.include, secret)
        else:
            path = self._jobs.get(self._id).job.name.rpartition("/")[2]
            files = (Wanted(path=path, url=origin.place, sha256=ask.sha256),)
        self._keep(files=files, commit=commit, synced=(0,) * len(files), validators=("",) * len(files))
        if all(one.size is not None for one in files):
            total = sum(one.size or 0 for one in files)
            source = f"{source_of(origin)} ({commit[:12]})" if commit else source_of(origin)
            self._store.require_room(total, self._id)
            self._jobs.change(self._id, bytes_total=total, source=source)

    def _is_there(self) -> bool:
        name = self._jobs.get(self._id).job.name
        record = self._store.record_of(name)
        if record is None or not self._store.unchanged(name, record):
            return False
        there = {entry.path: entry for entry in record.manifest.files}
        if there.keys() != {one.path for one in self._plan.files}:
            return False
        if any(one.sha256 and there[one.path].sha256 != one.sha256 for one in self._plan.files):
            return False
        same_source = record.source == self._jobs.get(self._id).job.source
        return all(one.sha256 for one in self._plan.files) or (same_source and bool(self._plan.commit))

    def _unverified(self) -> bool:
        return any(one.sha256 is None and one.git_sha1 is None for one in self._plan.files)

    async def _check_and_place(self, name: str) -> None:
        plan, meter = self._plan, Meter()
        self._jobs.change(self._id, state="checking")
        self._jobs.meters[self._id] = meter
        try:
            manifest = await placing.check(self._store, self.staging, plan.kind, plan.files, meter)
        except placing.DamagedError as error:
            self._keep(synced=tuple(0 if part in error.parts else at for part, at in enumerate(plan.synced)))
            raise
        self._jobs.change(self._id, digest=manifest.digest)
        put_in_place(self._store, self._jobs, self.staging, self._id, name, manifest, plan.ask.replace)
        placing.remember(self._store, self._jobs.get(self._id).job, manifest, unverified=self._unverified())
        await asyncio.to_thread(self.staging.discard)

    def require_room(self, count: int) -> None:
        """Refuse what does not fit.

        Raises:
            NoRoomError: with the numbers.
        """
        self._store.require_room(count, self._id)

    def report(self, more: int, total: int | None = None) -> None:
        """That many more bytes are on the disk (fewer where a file began anew)."""
        job = self._jobs.get(self._id).job
        self._jobs.change(
            self._id, durable=False, bytes_done=job.bytes_done + more, bytes_total=total or job.bytes_total
        )

    def wanted(self, part: int) -> Wanted:
        """One of the files."""
        return self._plan.files[part]

    def synced(self, part: int) -> tuple[int, str]:
        """Bytes of a file that are on the disk, and of which version."""
        length = min(self._plan.synced[part], self._on_disk(part))
        return length, self._plan.validators[part]

    def _on_disk(self, part: int) -> int:
        flat = self.staging.size(part)
        tree = self.staging.tree
        placed = tree if self._plan.kind == "file" else tree / self.wanted(part).path
        return flat or (placed.lstat().st_size if placed.is_file() else 0)

    async def sync(self, part: int, length: int, validator: str) -> None:
        """That much of a file is on the disk now."""
        await asyncio.to_thread(self.staging.sync, (part,))
        self._keep(
            synced=_with(self._plan.synced, part, length), validators=_with(self._plan.validators, part, validator)
        )

    async def restart(self, part: int) -> None:
        """Begin a file anew."""
        self._keep(synced=_with(self._plan.synced, part, 0), validators=_with(self._plan.validators, part, ""))
        self.staging.remove(part, self.wanted(part).path)
        await asyncio.to_thread(self.staging.cut, part, 0)

    async def write(self, part: int, offset: int, pieces: list[bytes]) -> None:
        """Bytes of a file."""
        await asyncio.to_thread(self.staging.write, part, offset, pieces)


def source_of(origin: Origin) -> str:
    """As people are shown it: a URL without its query."""
    return f"hf:{origin.place}@{origin.revision}" if origin.kind == "hub" else shown(origin.place)


def _with(values: tuple[V, ...], part: int, value: V) -> tuple[V, ...]:
    return (*values[:part], value, *values[part + 1 :])
