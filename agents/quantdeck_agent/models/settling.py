"""The rename itself, so that an agent that dies around it knows afterwards what it did."""

from __future__ import annotations

import msgspec

from quantdeck_agent.models import placing
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.records import Task
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.manifest import Manifest


def put_in_place(
    store: ModelStore, jobs: Jobs, staging: Staging, identity: str, name: str, manifest: Manifest, replace: bool
) -> None:
    """The rename, with a note before it, so that an agent that dies between rename and record knows what it did."""
    jobs.put(msgspec.structs.replace(jobs.get(identity), placing=True))
    try:
        placing.place(store, staging, name, manifest, replace)
    except BaseException:
        jobs.put(msgspec.structs.replace(jobs.get(identity), placing=False))
        raise


async def settle(store: ModelStore, task: Task, digest: str | None, unverified: bool) -> str:
    """After a death at the rename: the note where the model is in its place, empty where it is not."""
    path = store.root / task.job.name
    if not path.exists():
        return ""
    manifest = await store.manifest(path)
    if manifest.digest != digest:
        return ""
    placing.remember(store, task.job, manifest, unverified=unverified)
    return "checked and in its place"
