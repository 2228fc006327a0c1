"""List, verify and remove, on a real agent; and what a full disk does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quantdeck_agent.models.garbage import Collector
from quantdeck_agent.models.jobs import Jobs
from quantdeck_agent.models.listing import Listing
from quantdeck_agent.models.placing import InUseError, require_place
from quantdeck_agent.models.store import ModelStore, Use
from quantdeck_checkpoints.hashing import manifest_of
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.errors import NotFoundError, RemoteError
from quantdeck_core.protocol.models import CollectGarbage, Garbage, Job, Verify
from support.agents import AgentProcess, agent
from support.checkpoints import LLAMA, hf
from support.pushes import CHUNK, announce, client_of, folder, gguf, host_of, left_in_staging, sending


@pytest.fixture
async def client(one: AgentProcess) -> AsyncIterator[ModelClient]:
    async with client_of(one) as found:
        yield found


async def _verified(client: ModelClient, name: str) -> Job:
    job = await client.verify(Verify(request_id=os.urandom(4).hex(), by="tester", name=name))
    async with asyncio.timeout(20):
        while job.ended_at is None:
            await asyncio.sleep(0.02)
            job = await client.job(job.id)
    return job


def _gone(garbage: Garbage) -> list[str]:
    return [verdict.name for verdict in garbage.verdicts if verdict.goes]


async def test_what_was_put_there_by_hand_is_listed_with_its_format(one: AgentProcess, client: ModelClient) -> None:
    for name, content in hf(**LLAMA).items():
        (one.models / "team/llama").mkdir(parents=True, exist_ok=True)
        (one.models / "team/llama" / name).write_bytes(content)
    gguf(one.models / "broken.gguf", 50)
    (one.models / "odd\nname.gguf").write_bytes(b"GGUF")
    broken, llama = (await client.models()).models
    assert (broken.name, broken.format, broken.digest, broken.verified_at) == ("broken.gguf", None, None, None)
    assert (llama.name, llama.kind, llama.files) == ("team/llama", "folder", 2)
    assert llama.format
    assert "BF16" in llama.format
    first = await _verified(client, "team/llama")
    assert (first.state, first.digest) == ("done", manifest_of(one.models / "team/llama").digest)
    assert "nothing to compare with" in first.note
    (_, llama) = (await client.models()).models
    assert (llama.digest, llama.unverified, llama.changed) == (first.digest, True, False)


async def test_verify_says_which_file_differs(one: AgentProcess, client: ModelClient, tmp_path: Path) -> None:
    source = folder(tmp_path / "m", {"config.json": 30, "x.safetensors": 100, "y.safetensors": 100})
    assert (await sending(host_of(one), source).run()).state == "done"
    assert (await _verified(client, "m")).note == "3 files as they were"
    victim = one.models / "m/x.safetensors"
    status = victim.stat()
    content = bytearray(victim.read_bytes())
    content[7] ^= 4
    victim.write_bytes(content)
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a failing disk does it: nothing else changes
    assert (await client.models()).models[0].changed is False
    (one.models / "m/y.safetensors").unlink()
    assert (await client.models()).models[0].changed is True
    job = await _verified(client, "m")
    assert (job.state, job.error and job.error.code) == ("failed", "model-changed")
    assert [one.path for one in job.differences] == ["x.safetensors", "y.safetensors"]
    assert job.error
    assert "x.safetensors has other content" in job.error.detail
    with pytest.raises(RemoteError, match="There is no model 'gone'"):
        await _verified(client, "gone")


async def test_gc_shows_first_and_removes_when_told(one: AgentProcess, client: ModelClient, tmp_path: Path) -> None:
    gguf(one.models / "team/a.gguf", 100)
    folder(one.models / "hf", {"config.json": 10, "x.safetensors": 20})
    push = await client.begin_push(announce(gguf(tmp_path / "p.gguf", CHUNK)))
    nothing = await client.collect_garbage(CollectGarbage(request_id="1"))
    assert (_gone(nothing), nothing.applied) == ([], False)
    shown = await client.collect_garbage(CollectGarbage(request_id="2", unused=True))
    assert (_gone(shown), shown.freed_bytes) == (["hf", "team/a.gguf"], 130)
    assert (one.models / "team/a.gguf").exists()
    with pytest.raises(RemoteError, match="There is no model 'x'"):
        await client.collect_garbage(CollectGarbage(request_id="3", names=("x",), apply=True))
    ask = CollectGarbage(request_id="4", names=("team/a.gguf",), apply=True)
    done = await client.collect_garbage(ask)
    assert _gone(done) == ["team/a.gguf"]
    assert sorted(os.listdir(one.models)) == [".quantdeck-staging", "hf"]
    assert await client.collect_garbage(ask) == done
    assert left_in_staging(one) == [push.job.id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ModelStore]:
    root = tmp_path / "models"
    gguf(root / "a.gguf", 10)
    folder(root / "hf", {"config.json": 10, "x.safetensors": 20})
    uses = [Use(root / "hf/x.safetensors", "engine one", True), Use(root / "a.gguf", "profile p", False)]
    (tmp_path / "state").mkdir()
    one = ModelStore(root, tmp_path / "state", lambda: uses)
    yield one
    one.close()


async def test_what_an_engine_runs_on_is_neither_replaced_nor_removed(store: ModelStore) -> None:
    with pytest.raises(InUseError, match="engine one"):
        require_place(store, "hf", "folder", replace=True)
    require_place(store, "a.gguf", "file", replace=True)  # only a profile names it: it may be replaced
    listing = Listing(store)
    collector = Collector(store, Jobs(store.db), listing)
    garbage = await collector.collect(CollectGarbage(request_id="1", names=("hf", "a.gguf"), unused=True, apply=True))
    assert _gone(garbage) == []
    assert [verdict.why for verdict in garbage.verdicts] == ["used by profile p", "used by engine one"]
    assert [model.users for model in await listing.models()] == [("profile p",), ("engine one",)]


async def test_left_overs_older_than_a_day_go(store: ModelStore) -> None:
    old, young = (store.root / ".quantdeck-staging" / name for name in ("0ld", "y0ung"))
    for path in (old, young):
        gguf(path / "f0", 50)
    day_ago = time.time() - 90_000
    for path in (old / "f0", old):
        os.utime(path, (day_ago, day_ago))
    collector = Collector(store, Jobs(store.db), Listing(store))
    assert _gone(await collector.collect(CollectGarbage(request_id="1", apply=True))) == ["0ld"]
    assert (old.exists(), young.exists()) == (False, True)
    with pytest.raises(NotFoundError):
        await collector.collect(CollectGarbage(request_id="2", names=("y0ung",), apply=True))


async def test_digests_are_kept_over_restarts_and_cost_nothing_the_second_time(store: ModelStore) -> None:
    path = store.root / "hf"
    for file in path.iterdir():
        os.utime(file, (1e9, 1e9))
    digest, fingerprint = await store.digest(path), store.fingerprint(path)
    assert digest == manifest_of(path).digest
    content = (path / "x.safetensors").read_bytes()
    (path / "x.safetensors").write_bytes(content[::-1])
    os.utime(path / "x.safetensors", (1e9, 1e9))  # only who reads it could tell
    assert (await store.digest(path), store.fingerprint(path)) == (digest, fingerprint)
    assert (await store.manifest(path, again=True)).digest != digest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.decode(errors='replace').strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


async def test_a_disk_that_fills_up_during_a_push(small_disk: Path, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 4 * CHUNK)
    async with agent(small_disk / "models") as one:
        push_began = False

        def told(job: Job) -> None:
            nonlocal push_began
            if not push_began:
                push_began = True
                (small_disk / "stranger").write_bytes(bytes(18 << 20))

        with pytest.raises(RemoteError, match="disk became full") as caught:
            await sending(host_of(one), source, told=told).run()
        assert caught.value.info().code == "no-room"
        async with client_of(one) as client:
            assert (await client.models()).models == ()
            with pytest.raises(RemoteError, match="are needed"):
                await sending(host_of(one), source).run()
            (small_disk / "stranger").unlink()
            assert (await sending(host_of(one), source).run()).state == "done"
            assert (await client.models()).models[0].digest == manifest_of(source).digest
