"""One agent for all tests of a file: each finds it without models and without transfers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quantdeck_core.protocol.models import ENDED, CancelJob
from support.agents import AgentProcess, short_folder
from support.pushes import client_of


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    with short_folder() as folder:
        one = AgentProcess(folder, tmp_path_factory.mktemp("root") / "models")
        try:
            asyncio.run(one.start())
            yield one
        finally:
            one.end_everything()


@pytest.fixture
async def one(shared: AgentProcess) -> AsyncIterator[AgentProcess]:
    yield shared
    async with client_of(shared) as client:
        for job in (await client.jobs()).jobs:
            if job.state not in ENDED:
                await client.cancel_job(job.id, CancelJob(request_id="end"))
    _empty(shared.models)


def _empty(root: Path) -> None:
    for path in root.iterdir() if root.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
