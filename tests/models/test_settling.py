"""An agent that dies around the rename knows afterwards what it did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quantdeck_agent.models import placing, settling
from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.pushes import Pushes
from quantdeck_agent.models.records import Wanted
from quantdeck_agent.models.renames import exchange, rename_new
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_checkpoints.hashing import manifest_of
from quantdeck_core.protocol.models import ENDED
from support.pushes import announce, folder


class Host:
    """The parts of an agent that outlive each other."""

    def __init__(self, base: Path) -> None:
        (base / "state").mkdir(exist_ok=True)
        self.store = ModelStore(base / "models", base / "state")
        self.jobs = Jobs(self.store.db)
        self.pushes = Pushes(self.store, self.jobs)

    async def die(self) -> None:
        await self.jobs.close()
        self.store.close()


async def _all_sent(host: Host, source: Path, replace: bool) -> str:
    """A push whose files lie in the staging folder, about to be checked."""
    push = await host.pushes.begin(announce(source, replace=replace))
    staging = Staging(host.store.root, push.job.id)
    for part, file in enumerate(sorted(source.iterdir())):
        staging.write(part, 0, [file.read_bytes()])
    host.jobs.change(push.job.id, state="checking")
    return push.job.id


@pytest.fixture
def old_there(tmp_path: Path, request: pytest.FixtureRequest) -> bool:
    if request.param:
        folder(tmp_path / "models/m", {"config.json": 7, "gone.txt": 3})
    return bool(request.param)


@pytest.mark.parametrize("old_there", [False, True], indirect=True)
@pytest.mark.parametrize("dies", ["before the check", "before the rename", "after the rename"])
async def test_dying_at_the_rename(tmp_path: Path, old_there: bool, dies: str) -> None:
    source = folder(tmp_path / "m", {"config.json": 30, "x.safetensors": 50})
    host = Host(tmp_path)
    identity = await _all_sent(host, source, replace=old_there)
    staging = Staging(host.store.root, identity)
    if dies != "before the check":
        wanted = [Wanted(path=e.path, size=e.size, sha256=e.sha256) for e in manifest_of(source).files]
        manifest = await placing.check(host.store, staging, "folder", wanted, Meter())
        if dies == "after the rename":
            settling.put_in_place(host.store, host.jobs, staging, identity, "m", manifest, old_there)
    await host.die()

    host = Host(tmp_path)
    host.pushes.restore()
    async with asyncio.timeout(10):
        while host.jobs.get(identity).job.state not in ENDED:
            await asyncio.sleep(0.01)
    job = host.jobs.get(identity).job
    assert (job.state, job.error) == ("done", None)
    assert manifest_of(tmp_path / "models/m") == manifest_of(source)
    record = host.store.record_of("m")
    assert record
    assert host.store.unchanged("m", record)
    assert not staging.path.exists()
    await host.die()


def test_renames_that_replace_nothing_and_exchanges(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", {"a": 1}), folder(tmp_path / "other", {"b": 1})
    with pytest.raises(FileExistsError):
        rename_new(one, other)
    exchange(one, other)
    assert ([p.name for p in one.iterdir()], [p.name for p in other.iterdir()]) == (["b"], ["a"])
    rename_new(one, tmp_path / "new")
    assert not one.exists()


def test_the_same_without_the_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantdeck_agent.models.renames._libc_renameat2", lambda: None)
    test_renames_that_replace_nothing_and_exchanges(tmp_path)
