"""Send a model to one host: the chunks that it lacks, several at once, until it has checked and placed them."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.artifacts.chunks import length_of
from quantdeck_core.errors import ConflictError, QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.protocol.models import ENDED, BeginPush, FinishPush, Job, Push

IN_FLIGHT = 4
RETRIES = 5
"""In a row without a single new byte."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 10.0
POLL_S = 0.3
_ROUNDS = 3
"""A chunk that was damaged on the way, or files that were damaged on the host's disk, are sent again so often."""

Told = Callable[[Job], None]
"""Hears how far it has got."""


async def followed(client: ModelClient, job: Job, told: Told) -> Job:
    """The job once it has ended."""
    while job.state not in ENDED:
        told(job)
        await asyncio.sleep(POLL_S)
        job = await client.job(job.id)
    told(job)
    return job


class FileChangedError(ConflictError):
    """A file became shorter while it was sent."""

    code = "changed-while-read"
    title = "The file changed while it was sent"


class Sending:
    """One model to one host, through as many connections as that takes."""

    def __init__(self, host: Host, files: Sequence[Path], ask: BeginPush, told: Told) -> None:
        self._host, self._files, self._ask, self._told = host, files, ask, told

    async def run(self) -> Job:
        """The job when it has ended on the host.

        Raises:
            QuantdeckError: it was refused, or the host cannot be reached any more; the same push goes on later.
        """
        tries, pause, furthest = 0, FIRST_PAUSE_S, -1
        while True:
            arrived = [furthest]
            try:
                async with client_of(self._host, ModelClient) as client:
                    return await self._once(client, arrived)
            except UnreachableError:
                tries, pause = (tries + 1, pause * 2) if arrived[0] <= furthest else (1, FIRST_PAUSE_S)
                furthest = arrived[0]
                if tries > RETRIES or furthest < 0:
                    raise
            await asyncio.sleep(min(pause, LAST_PAUSE_S))

    async def _once(self, client: ModelClient, arrived: list[int]) -> Job:
        push = await client.begin_push(self._ask)
        for _ in range(_ROUNDS):
            if push.job.state in ENDED:
                return push.job
            if any(push.missing):
                await self._send(client, push, arrived)
            try:
                job = await client.finish_push(
                    push.job.id, FinishPush(request_id=self._ask.request_id, by=self._ask.by)
                )
            except RemoteError as error:
                if error.info().code != "push-state":
                    raise
                push = await client.push(push.job.id)
                continue
            job = await followed(client, job, self._told)
            if not (job.error and job.error.code == "hash-mismatch"):
                return job
            push = await client.begin_push(self._ask)  # the damaged files only
        return await client.job(push.job.id)

    async def _send(self, client: ModelClient, push: Push, arrived: list[int]) -> None:
        chunks = _chunks(push)
        self._told(push.job)
        arrived[0] = max(arrived[0], push.job.bytes_done)

        async def worker() -> None:
            for file, index in chunks:
                size = self._ask.manifest.files[file].size
                offset = index * push.chunk_bytes
                chunk, crc32 = await asyncio.to_thread(_read, self._files[file], offset, length_of(size, index))
                done = await self._send_one(client, push.job.id, file, offset, chunk, crc32)
                if done > arrived[0]:
                    arrived[0] = done
                    self._told(_moved(push.job, done))

        await _together([worker() for _ in range(IN_FLIGHT)])

    async def _send_one(
        self, client: ModelClient, identity: str, file: int, offset: int, chunk: bytes, crc32: int
    ) -> int:
        for last in (False, False, True):
            try:
                return (await client.send_chunk(identity, file, offset, chunk, crc32)).bytes_done
            except RemoteError as error:
                if error.info().code == "push-state":
                    return 0  # another console was faster: it is being checked
                if error.info().code not in ("bad-chunk", "bad-request") or last:
                    raise
        raise AssertionError("unreachable")


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first error ends the others and is raised by itself, not in a group."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _chunks(push: Push) -> Iterator[tuple[int, int]]:
    for file, runs in enumerate(push.missing):
        for first, end in runs:
            yield from ((file, index) for index in range(first, end))


def _moved(job: Job, done: int) -> Job:
    return msgspec.structs.replace(job, bytes_done=done)


def _read(path: Path, offset: int, length: int) -> tuple[bytes, int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            chunk = os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(chunk) != length:
        raise FileChangedError(f"{path} became shorter while it was sent.", "Push it again when it is complete.")
    return chunk, zlib.crc32(chunk)


def _unreadable(path: Path, error: OSError) -> QuantdeckError:
    return FileChangedError(f"{path} cannot be read any more: {error.strerror}.", "Push it again when it is there.")
