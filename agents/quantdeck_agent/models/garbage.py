"""Removing models and left-overs: what goes is decided in core, and goes by a rename first."""

from __future__ import annotations

import asyncio
import os
import time
import uuid

from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.listing import Listing
from quantdeck_agent.models.renames import sync_folder
from quantdeck_agent.models.staging import Staging, left_overs
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.gc import Candidate, Verdict, decide
from quantdeck_core.artifacts.names import check_path
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.models import ENDED, CollectGarbage, Garbage, ModelStatus


class Collector:
    """Tells what may go, and removes it."""

    def __init__(self, store: ModelStore, jobs: Jobs, listing: Listing) -> None:
        self._store, self._jobs, self._listing = store, jobs, listing

    async def collect(self, ask: CollectGarbage) -> Garbage:
        """What goes and what stays; with `apply`, it is gone when this returns.

        Raises:
            ArtifactNameError, NotFoundError: a name is none, or nothing is called so.
        """
        if ask.apply and (before := self._store.db.answer_of(ask.request_id, Garbage)):
            return before
        models = await self._listing.models()
        there = {model.name for model in models}
        for name in ask.names:
            if check_path(name) not in there:
                raise NotFoundError(f"There is no model {name!r} here.", "`quantdeck model list` shows what is.")
        candidates = [*self._candidates(models), *self._left_overs()]
        verdicts = decide(candidates, ask.names, ask.unused, time.time())
        going = [verdict for verdict in verdicts if verdict.goes]
        if ask.apply:
            for verdict in going:
                await self._remove(verdict, ask.by)
        done = Garbage(applied=ask.apply, verdicts=verdicts, freed_bytes=sum(verdict.bytes for verdict in going))
        if ask.apply:
            self._store.db.remember(ask.request_id, done, time.time())
        return done

    def _candidates(self, models: tuple[ModelStatus, ...]) -> list[Candidate]:
        found = []
        for model in models:
            moving = self._jobs.active(model.name)
            users = (*model.users, *((f"a {moving.job.kind} that replaces it",) if moving else ()))
            found.append(Candidate(name=model.name, bytes=model.bytes, users=users))
        return found

    def _left_overs(self) -> list[Candidate]:
        found = []
        for name in left_overs(self._store.root):
            staging = Staging(self._store.root, name)
            task = self._jobs.find(name)
            goes_on = task is not None and task.job.state not in ENDED and task.job.kind == "pull"
            checked = task is not None and task.job.state == "checking"
            users = (f"the {task.job.kind} of {task.job.name}",) if task and (goes_on or checked) else ()
            touched = max(staging.touched_at(), task.job.touched_at if task else 0.0)
            found.append(Candidate(name=name, bytes=staging.bytes(), touched_at=touched, users=users))
        return found

    async def _remove(self, verdict: Verdict, by: str) -> None:
        if verdict.what != "model":
            task = self._jobs.find(verdict.name)
            if task and task.job.state not in ENDED:
                await self._jobs.cancel(verdict.name)
            await asyncio.to_thread(Staging(self._store.root, verdict.name).discard)
            return
        trash = Staging(self._store.root, f"trash-{uuid.uuid4().hex[:12]}")
        trash.make()
        path = self._store.root / verdict.name
        if path.is_symlink():
            path.unlink()
        else:
            path.rename(trash.tree)
        sync_folder(path.parent)
        self._store.forget(verdict.name)
        self._store.note(verdict.name, "gc", "removed", by)
        await asyncio.to_thread(trash.discard)
        for folder in path.parents:
            if folder == self._store.root or os.listdir(folder):
                break
            folder.rmdir()
