"""Hashing a model again, from end to end, against what it was when it came."""

from __future__ import annotations

import time

import msgspec

from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.placing import remember
from quantdeck_agent.models.records import Task
from quantdeck_agent.models.store import ModelStore
from quantdeck_checkpoints.hashing import files_of
from quantdeck_core.artifacts.manifest import differences
from quantdeck_core.errors import ConflictError
from quantdeck_core.fleet.cells import plural
from quantdeck_core.protocol.models import ENDED, Job, Verify


class NotAsItWasError(ConflictError):
    """Files changed since the model was last hashed."""

    code = "model-changed"
    title = "The model is not what it was"


class Verifier:
    """Checks of models, one at a time."""

    def __init__(self, store: ModelStore, jobs: Jobs) -> None:
        self._store, self._jobs = store, jobs

    def restore(self) -> None:
        """Begin again what the last agent had not finished."""
        for task in self._jobs.all():
            if task.job.kind == "verify" and task.job.state not in ENDED:
                self._start(task.job.id)

    def begin(self, ask: Verify, identity: str, now: float) -> Job:
        """Begin to hash; a check of this model that goes on already is joined."""
        for task in self._jobs.all():
            same = task.job.kind == "verify" and task.job.name == ask.name
            if same and (task.job.state not in ENDED or task.request_id == ask.request_id):
                return self._jobs.view(task)
        path = self._store.root / ask.name
        total = sum(file.stat().st_size for file in files_of(path, inside=self._store.root).values())
        job = Job(
            id=identity, kind="verify", name=ask.name, state="checking", by=ask.by, created_at=now, touched_at=now,
            bytes_total=total,
        )  # fmt: skip
        self._jobs.put(Task(job=job, request_id=ask.request_id))
        self._start(identity)
        return job

    def _start(self, identity: str) -> None:
        self._jobs.meters[identity] = Meter()
        self._jobs.start(identity, lambda: self._work(identity))

    async def _work(self, identity: str) -> str:
        name = self._jobs.get(identity).job.name
        record = self._store.record_of(name)
        found = await self._store.manifest(self._store.root / name, self._jobs.meters[identity], again=True)
        self._jobs.change(identity, digest=found.digest)
        if record is None:
            remember(self._store, self._jobs.get(identity).job, found, unverified=True)
            return "hashed for the first time: there was nothing to compare with"
        wrong = differences(record.manifest, found)
        if wrong:
            self._jobs.change(identity, differences=wrong)
            more = f", and {plural(len(wrong) - 1, 'more file')} differ" if len(wrong) > 1 else ""
            raise NotAsItWasError(
                f"{name}: {wrong[0]}{more}.", "Push or pull it again with --replace, once nothing runs on it."
            )
        fingerprint = self._store.fingerprint(self._store.root / name)
        same = msgspec.structs.replace(record, fingerprint=fingerprint, verified_at=time.time())
        self._store.remember(name, same)
        return f"{plural(len(found.files), 'file')} as they were"
