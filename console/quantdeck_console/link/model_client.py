"""Typed calls to one agent about models."""

from __future__ import annotations

from collections.abc import AsyncIterator

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol import models as messages

_PIECE_BYTES = 256 << 10
_PIECE_DEADLINE_S = 60.0
"""For each piece, and for the agent's disk at the end: a link of 50 kbit/s is slow, not dead."""


class ModelClient(AgentClient):
    """One agent's paths under `/v1/models`.

    All calls raise `UnreachableError` where the agent does not answer and `RemoteError` where it refuses.
    """

    async def models(self) -> messages.ModelList:
        """What is there, and room for more."""
        return await self._call("GET", "/v1/models", None, messages.ModelList)

    async def jobs(self) -> messages.JobList:
        """Transfers and checks."""
        return await self._call("GET", "/v1/models/jobs", None, messages.JobList)

    async def job(self, identity: str) -> messages.Job:
        """One of them."""
        return await self._call("GET", f"/v1/models/jobs/{identity}", None, messages.Job)

    async def cancel_job(self, identity: str, ask: messages.CancelJob) -> messages.Job:
        """End one of them."""
        return await self._call("POST", f"/v1/models/jobs/{identity}/cancel", ask, messages.Job)

    async def begin_push(self, ask: messages.BeginPush) -> messages.Push:
        """Announce a model, or go on with it."""
        return await self._call("POST", "/v1/models/pushes", ask, messages.Push)

    async def push(self, identity: str) -> messages.Push:
        """Where a push stands."""
        return await self._call("GET", f"/v1/models/pushes/{identity}", None, messages.Push)

    async def send_chunk(self, identity: str, file: int, offset: int, chunk: bytes, crc32: int) -> messages.Taken:
        """One chunk; sent once more where the connection broke."""
        path = f"/v1/models/pushes/{identity}/chunk?file={file}&offset={offset}&crc32={crc32}"
        headers = {"content-type": "application/octet-stream", "content-length": str(len(chunk))}
        return await self._ask("PUT", path, _Pieces(chunk), messages.Taken, headers, _PIECE_DEADLINE_S)

    async def finish_push(self, identity: str, ask: messages.FinishPush) -> messages.Job:
        """Check every hash and put the model into its place."""
        return await self._call("POST", f"/v1/models/pushes/{identity}/finish", ask, messages.Job)

    async def pull(self, ask: messages.Pull) -> messages.Job:
        """Let the host fetch a model."""
        return await self._call("POST", "/v1/models/pulls", ask, messages.Job)

    async def verify(self, ask: messages.Verify) -> messages.Job:
        """Hash a model again."""
        return await self._call("POST", "/v1/models/verify", ask, messages.Job)

    async def collect_garbage(self, ask: messages.CollectGarbage) -> messages.Garbage:
        """What would go, or away with it."""
        return await self._call("POST", "/v1/models/gc", ask, messages.Garbage)


class _Pieces:
    """A chunk in pieces, so that a deadline is one of a piece; it can be sent again."""

    def __init__(self, chunk: bytes) -> None:
        self._chunk = chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._chunk), _PIECE_BYTES):
            yield self._chunk[start : start + _PIECE_BYTES]
