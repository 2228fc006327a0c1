"""Transfers and checks: kept on the disk, run in the background, cancelled on request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.records import TASK, Task
from quantdeck_agent.store import Store
from quantdeck_core.errors import ConflictError, ErrorInfo, NotFoundError, QuantdeckError
from quantdeck_core.protocol.models import ENDED, Job

log = logging.getLogger("quantdeck.models")

ENDED_KEPT = 50
_PROMISED_S = 60.0
"""A transfer that moved nothing for so long is asked again for room when it goes on."""


class Jobs:
    """All of them by id."""

    def __init__(self, db: Store) -> None:
        self._db = db
        self._tasks = db.all(TASK, Task)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()
        self.meters: dict[str, Meter] = {}
        """Of jobs that are `checking`: bytes hashed."""

    def find(self, identity: str) -> Task | None:
        """A job, if there is one."""
        return self._tasks.get(identity)

    def get(self, identity: str) -> Task:
        """A job.

        Raises:
            NotFoundError: there is none.
        """
        if identity not in self._tasks:
            raise NotFoundError(f"There is no job {identity[:40]!r} here.", "`quantdeck model jobs` lists them.")
        return self._tasks[identity]

    def all(self) -> list[Task]:
        """Every job, oldest first."""
        return sorted(self._tasks.values(), key=lambda task: task.job.created_at)

    def active(self, name: str) -> Task | None:
        """The transfer of this name that has not ended."""
        open_ones = (task for task in self._tasks.values() if task.job.name == name and task.job.kind != "verify")
        return next((task for task in open_ones if task.job.state not in ENDED), None)

    def view(self, task: Task) -> Job:
        """The job as it is shown: with what other threads have done."""
        job = task.job
        if meter := self.meters.get(job.id):
            return msgspec.structs.replace(job, bytes_done=meter.value)
        if job.kind == "push" and job.state == "moving" and time.time() - job.touched_at > _PROMISED_S:
            return msgspec.structs.replace(job, state="waiting", note="its console sends nothing")
        return job

    def promised(self, but: str = "") -> int:
        """Bytes that transfers which go on, but for one, will still write."""
        now = time.time()
        moving = (task.job for task in self._tasks.values() if task.job.state == "moving")
        return sum(
            max(0, (j.bytes_total or 0) - j.bytes_done)
            for j in moving
            if j.id != but and now - j.touched_at < _PROMISED_S
        )

    def put(self, task: Task, *, durable: bool = True) -> Task:
        """Keep a job; durable: on the disk when this returns."""
        self._tasks[task.job.id] = task
        if durable:
            self._db.put(TASK, task.job.id, task)
        return task

    def change(self, identity: str, *, durable: bool = True, **changes: Any) -> Task:
        """Change what is shown of a job."""
        task = self.get(identity)
        job = msgspec.structs.replace(task.job, touched_at=time.time(), **changes)
        return self.put(msgspec.structs.replace(task, job=job), durable=durable)

    def start(self, identity: str, work: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Run a job in the background; what it returns is its last note."""
        if identity in self._running:
            return
        running = asyncio.create_task(self._run(identity, work))
        self._running[identity] = running
        running.add_done_callback(lambda _: self._running.pop(identity, None))

    async def _run(self, identity: str, work: Callable[[], Coroutine[Any, Any, str]]) -> None:
        try:
            note = await work()
        except asyncio.CancelledError:
            if identity in self._cancelled:
                self.end(identity, "cancelled", "cancelled")
                return
            raise  # the agent ends: the next one goes on
        except QuantdeckError as error:
            self.end(identity, "failed", "", error.info())
        except OSError as error:
            detail = f"{error.strerror or error}: {error.filename or 'the disk'}"
            hint = "Look at the disk; what has arrived is kept, and the same command goes on."
            self.end(identity, "failed", "", ErrorInfo(code="disk", title="Disk error", detail=detail, hint=hint))
        except Exception:
            log.exception("job %s", identity)
            hint = "The agent's log has the details. What has arrived is kept, and the same command goes on."
            detail = "Something went wrong inside the agent."
            self.end(identity, "failed", "", ErrorInfo(code="failed", title="It failed", detail=detail, hint=hint))
        else:
            self.end(identity, "done", note)

    def end(self, identity: str, state: str, note: str, error: ErrorInfo | None = None) -> None:
        """The last word on a job."""
        self.meters.pop(identity, None)
        job = self.get(identity).job
        done = job.bytes_total or job.bytes_done if state == "done" else job.bytes_done
        self.change(identity, state=state, note=note, error=error, ended_at=time.time(), bytes_done=done)
        ended = [task for task in self.all() if task.job.state in ENDED]
        for task in ended[:-ENDED_KEPT]:
            del self._tasks[task.job.id]
            self._db.delete(TASK, task.job.id)

    async def cancel(self, identity: str) -> Task:
        """End a job that has not ended.

        Raises:
            NotFoundError: there is none.
            ConflictError: it has ended, or puts its model into its place right now.
        """
        task = self.get(identity)
        if task.job.state in ENDED:
            raise ConflictError(f"The job has ended already: {task.job.state}.", "There is nothing to cancel.")
        if task.placing:
            raise ConflictError("The model is being put into its place.", "It is there in a moment.")
        self._cancelled.add(identity)
        running = self._running.get(identity)
        if running:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if self.get(identity).job.state not in ENDED:
            self.end(identity, "cancelled", "cancelled")
        self._cancelled.discard(identity)
        return self.get(identity)

    async def close(self) -> None:
        """Stop what runs; the next agent goes on with it."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
