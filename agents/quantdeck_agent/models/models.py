"""All that an agent does with models, as its interface uses it."""

from __future__ import annotations

import asyncio
import time
import uuid

from quantdeck_agent.models.garbage import Collector
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.listing import Listing
from quantdeck_agent.models.pulls import Pulls
from quantdeck_agent.models.pushes import Pushes
from quantdeck_agent.models.store import ModelStore
from quantdeck_agent.models.verifying import Verifier
from quantdeck_core.artifacts.room import reserve
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.models import ENDED, Job, JobList, ModelList, Verify


class Models:
    """The parts together.

    Attributes:
        store, pushes, pulls, garbage: each does one thing.
    """

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self._jobs = Jobs(store.db)
        store.promised = self._jobs.promised
        self._listing = Listing(store)
        self.pushes = Pushes(store, self._jobs)
        self.pulls = Pulls(store, self._jobs)
        self._verifier = Verifier(store, self._jobs)
        self.garbage = Collector(store, self._jobs, self._listing)

    def restore(self) -> None:
        """Go on with what the last agent had begun; needs the event loop."""
        self.pushes.restore()
        self.pulls.restore()
        self._verifier.restore()

    async def close(self) -> None:
        """Stop transfers where they are, and close the files."""
        await self._jobs.close()
        self.store.close()

    async def list(self) -> ModelList:
        """Models and room."""
        room = self.store.room()
        return ModelList(
            models=await self._listing.models(),
            disk_free_bytes=room.free,
            disk_total_bytes=room.total,
            reserve_bytes=reserve(room.total),
            promised_bytes=self._jobs.promised(),
        )

    def jobs(self) -> JobList:
        """Transfers and checks."""
        return JobList(jobs=tuple(map(self._jobs.view, self._jobs.all())))

    def job(self, identity: str) -> Job:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        return self._jobs.view(self._jobs.get(identity))

    def verify(self, ask: Verify) -> Job:
        """Begin to hash a model again.

        Raises:
            ArtifactNameError, NotFoundError: no such model.
        """
        self.store.path_of(ask.name)
        if ask.name not in self._listing.names():
            raise NotFoundError(f"There is no model {ask.name!r} here.", "`quantdeck model list` shows what is.")
        return self._verifier.begin(ask, uuid.uuid4().hex[:16], time.time())

    async def cancel(self, identity: str) -> Job:
        """End a job; nothing of a transfer stays.

        Raises:
            NotFoundError, ConflictError: there is none, or it has ended.
        """
        task = await self._jobs.cancel(identity)
        forget = {"push": self.pushes.forget, "pull": self.pulls.forget}.get(task.job.kind)
        if forget and task.job.state in ENDED:
            await asyncio.to_thread(forget, identity)
        return self.job(identity)
