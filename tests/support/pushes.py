"""Models for tests, and pushing them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from quantdeck_checkpoints.hashing import files_of, manifest_of
from quantdeck_console.link.fleet_file import Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_console.model_sending import Sending
from quantdeck_core.protocol.models import BeginPush, Job
from support.agents import AgentProcess

CHUNK = 4 << 20


def gguf(path: Path, size: int) -> Path:
    """A file of random bytes that begins like a GGUF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + os.urandom(size - 4))
    return path


def folder(path: Path, sizes: dict[str, int]) -> Path:
    """A folder of random files."""
    for name, size in sizes.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(os.urandom(size))
    return path


def announce(path: Path, name: str = "", *, replace: bool = False, request_id: str = "1") -> BeginPush:
    """What a console says before it sends."""
    return BeginPush(
        request_id=request_id, by="tester", name=name or path.name, manifest=manifest_of(path), replace=replace
    )


def sending(
    host: Host, path: Path, name: str = "", *, replace: bool = False, told: Callable[[Job], None] = lambda _: None
) -> Sending:
    """A push as the command does it."""
    return Sending(host, list(files_of(path).values()), announce(path, name, replace=replace), told)


def host_of(one: AgentProcess) -> Host:
    """An agent on this machine."""
    return Host(name="test", socket=str(one.socket()))


@asynccontextmanager
async def client_of(one: AgentProcess, role: str = "operator") -> AsyncIterator[ModelClient]:
    """The agent's model calls."""
    client = ModelClient("test", httpx.AsyncHTTPTransport(uds=str(one.socket(role))))
    try:
        yield client
    finally:
        await client.close()


def left_in_staging(one: AgentProcess) -> list[str]:
    """Names in the staging folder."""
    staging = one.models / ".quantdeck-staging"
    return sorted(os.listdir(staging)) if staging.exists() else []
