"""A pull on behalf of a deployment: begun, followed to its end, told as it goes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from quantdeck_agent.models.models import Models
from quantdeck_core.errors import InputError, QuantdeckError, RemoteError
from quantdeck_core.fleet.cells import size
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.models import ENDED, Job, Pull

POLL_S = 0.3
_FAILED_STATUS = 500


class Fetcher:
    """Pulls what profiles name."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def fetch(self, profile: Profile, by: str, told: Callable[[str, float | None], None]) -> None:
        """Bring a profile's checkpoint below the model root; a pull of the same that goes on is joined.

        Whoever stops waiting does not stop the pull: `quantdeck model cancel` does.

        Raises:
            QuantdeckError: it failed, or was cancelled.
        """
        if profile.source is None:
            raise InputError(f"{profile.name} names no source.", "Push the model: quantdeck model push.")
        source = profile.source
        ask = Pull(
            request_id=uuid.uuid4().hex, by=by, source=source.origin, name=profile.model, sha256=source.sha256 or None,
            include=source.include,
        )  # fmt: skip
        job = self._models.pulls.begin(ask)
        while job.state not in ENDED:
            told(_words(job), job.bytes_done / job.bytes_total if job.bytes_total else None)
            await asyncio.sleep(POLL_S)
            job = self._models.job(job.id)
        if job.error:
            raise RemoteError(job.error, _FAILED_STATUS)
        if job.state != "done":
            raise QuantdeckError(f"The pull of {profile.model} was {job.state}.", "Deploy it again: it goes on.")


def _words(job: Job) -> str:
    if job.state == "checking":
        return "its hash is checked"
    total = f" of {size(job.bytes_total)}" if job.bytes_total else ""
    return f"{size(job.bytes_done)}{total} from {job.source}"
