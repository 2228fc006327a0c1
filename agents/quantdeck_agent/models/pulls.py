"""Models that this host fetches by itself; a pull goes on after the agent died."""

from __future__ import annotations

import hashlib
import time

import msgspec

from quantdeck_agent.models import placing
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.pull_run import PullRun, source_of
from quantdeck_agent.models.records import PullPlan, Task
from quantdeck_agent.models.remote import SourceError
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.manifest import Kind
from quantdeck_core.artifacts.names import check_path
from quantdeck_core.artifacts.origin import OriginError, check_url, parse_origin
from quantdeck_core.errors import ConflictError
from quantdeck_core.protocol.models import ENDED, Job, Pull


class Pulls:
    """All pulls of a host."""

    def __init__(self, store: ModelStore, jobs: Jobs) -> None:
        self._store, self._jobs = store, jobs

    def restore(self) -> None:
        """Go on with what the last agent had not finished."""
        for task in self._jobs.all():
            if task.pull and task.job.state not in ENDED:
                self._start(task.job.id)

    def begin(self, ask: Pull) -> Job:
        """Begin to fetch, or go on with it.

        Raises:
            OriginError: no usable source, or a URL without a hash.
            ArtifactNameError: the name cannot be used.
            ConflictError: another transfer of this name goes on.
            ExistsError, InUseError: the place is taken.
        """
        origin = parse_origin(ask.source)
        if ask.proxy:
            check_url(ask.proxy)
        if origin.kind == "url" and not ask.sha256 and not ask.unverified:
            raise OriginError(
                "Nobody says what this file should contain.",
                "Give its --sha256, or --unverified to take whatever comes.",
            )
        name = check_path(ask.name or origin.default_name)
        whole = repr((name, ask.source, ask.sha256, ask.include))
        identity = hashlib.sha256(f"pull\0{whole}".encode()).hexdigest()[:16]
        task = self._jobs.find(identity)
        if task and (task.job.state not in ENDED or task.request_id == ask.request_id):
            return self._jobs.view(task)
        if active := self._jobs.active(name):
            raise ConflictError(
                f"Another {active.job.kind} of {name} goes on, by {active.job.by or 'somebody'}.",
                f"Wait for it, or end it: quantdeck model cancel {active.job.id}",
            )
        kind: Kind = "file" if origin.kind == "url" else "folder"
        record = self._store.record_of(name)
        if not (record and self._store.unchanged(name, record)):  # else it may turn out to be the same
            placing.require_place(self._store, name, kind, ask.replace)
        now = time.time()
        job = Job(
            id=identity, kind="pull", name=name, state="moving", by=ask.by, created_at=now, touched_at=now,
            source=source_of(origin),
        )  # fmt: skip
        plan = PullPlan(ask=ask, kind=kind)
        if task and task.pull and task.job.error and task.job.error.code != SourceError.code:
            plan = msgspec.structs.replace(task.pull, ask=ask)  # goes on where it broke off
        self._jobs.put(Task(job=job, request_id=ask.request_id, pull=plan))
        self._start(identity)
        return job

    def forget(self, identity: str) -> None:
        """A pull that was cancelled: nothing of it stays."""
        Staging(self._store.root, identity).discard()

    def _start(self, identity: str) -> None:
        self._jobs.start(identity, lambda: PullRun(self._store, self._jobs, identity).work())
