"""Pushes to a real agent: whole, interrupted, refused, replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import tempfile
import zlib
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.models.records import Task
from quantdeck_checkpoints.hashing import manifest_of
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.models import BeginPush, CancelJob, FinishPush, Job, Push
from support.agents import AgentProcess
from support.pushes import CHUNK, announce, client_of, folder, gguf, host_of, left_in_staging, sending


async def _ended(client: ModelClient, job: Job) -> Job:
    async with asyncio.timeout(20):
        while job.ended_at is None:
            await asyncio.sleep(0.02)
            job = await client.job(job.id)
    return job


async def _finish(client: ModelClient, push: Push) -> Job:
    return await _ended(client, await client.finish_push(push.job.id, FinishPush(request_id="2")))


async def _send(client: ModelClient, push: Push, path: Path, file: int, index: int) -> None:
    chunk = path.read_bytes()[index * CHUNK : (index + 1) * CHUNK]
    await client.send_chunk(push.job.id, file, index * CHUNK, chunk, zlib.crc32(chunk))


def _code(caught: pytest.ExceptionInfo[RemoteError]) -> str:
    return caught.value.info().code


async def test_a_file_arrives_is_checked_and_listed(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 2 * CHUNK + 7)
    job = await sending(host_of(one), source, "team/a.gguf").run()
    assert (job.state, job.digest, job.bytes_done) == ("done", manifest_of(source).digest, 2 * CHUNK + 7)
    assert (one.models / "team/a.gguf").read_bytes() == source.read_bytes()
    assert left_in_staging(one) == []
    async with client_of(one, "viewer") as client:
        found = await client.models()
    (model,) = found.models
    assert (model.name, model.kind, model.digest, model.changed) == ("team/a.gguf", "file", job.digest, False)
    assert model.verified_at is not None
    assert model.source == "push by tester"
    assert 0 < found.reserve_bytes < found.disk_total_bytes


async def test_a_folder_arrives_whole_and_again_costs_nothing(one: AgentProcess, tmp_path: Path) -> None:
    source = folder(tmp_path / "hf", {"config.json": 20, "sub/x.safetensors": CHUNK + 1, "empty.txt": 0})
    (source / ".git").mkdir()
    (source / ".git/config").write_text("secret")
    job = await sending(host_of(one), source).run()
    assert job.state == "done", job.error
    assert manifest_of(one.models / "hf") == manifest_of(source)
    assert not (one.models / "hf/.git").exists()
    again = await sending(host_of(one), source).run()
    assert (again.state, again.note) == ("done", "the same content is there already")
    other = await sending(host_of(one), source, "other").run()  # the same bytes: linked, not sent
    assert other.state == "done"
    assert (one.models / "other/sub/x.safetensors").samefile(one.models / "hf/sub/x.safetensors")
    assert left_in_staging(one) == []


async def test_another_content_is_refused_and_replaced_on_request(one: AgentProcess, tmp_path: Path) -> None:
    first, second = folder(tmp_path / "1/m", {"config.json": 9}), folder(tmp_path / "2/m", {"config.json": 8, "b": 5})
    assert (await sending(host_of(one), first).run()).state == "done"
    with pytest.raises(RemoteError, match="is there with other content") as caught:
        await sending(host_of(one), second).run()
    assert _code(caught) == "model-exists"
    assert manifest_of(one.models / "m") == manifest_of(first)
    assert (await sending(host_of(one), second, replace=True).run()).state == "done"
    assert manifest_of(one.models / "m") == manifest_of(second)
    assert left_in_staging(one) == []


async def test_places_that_hold_something_else_are_refused(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 100)
    folder(one.models / "team", {"notes.txt": 5, "sub/x": 1})
    folder(one.models / "hf", {"config.json": 5})
    (one.models / "out").symlink_to(tmp_path)
    (one.models / "link.gguf").symlink_to(one.models / "hf/config.json")
    async with client_of(one) as client:
        for name, words in {
            "hf/a.gguf": "inside the model hf",
            "out/a.gguf": "leads out of the model root",
            "link.gguf": "symbolic link",
            "../a.gguf": "begins with a dot",
            "hf": "not called like",
        }.items():
            ask = announce(source, name)
            entry = type(ask.manifest.files[0])(
                path="a.gguf" if name == "hf" else name.rpartition("/")[2],
                size=100,
                sha256=ask.manifest.files[0].sha256,
            )
            manifest = type(ask.manifest)(kind="file", files=(entry,))
            with pytest.raises(RemoteError, match=words):
                await client.begin_push(BeginPush(request_id="1", name=name, manifest=manifest, replace=True))
        with pytest.raises(RemoteError, match="holds other things"):
            await client.begin_push(announce(folder(tmp_path / "team", {"config.json": 1}), replace=True))
    assert left_in_staging(one) == []


async def test_a_chunk_that_was_damaged_on_the_way_does_not_count(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", CHUNK + 10)
    async with client_of(one) as client:
        push = await client.begin_push(announce(source))
        good = source.read_bytes()[CHUNK:]
        for body, offset, crc, words in [
            (good[:-1] + b"?", CHUNK, zlib.crc32(good), "damaged on the way"),
            (good[:-1], CHUNK, zlib.crc32(good[:-1]), "has 9 bytes of 10"),
            (good + b"!", CHUNK, zlib.crc32(good + b"!"), "longer than 10"),
            (good, 5, zlib.crc32(good), "No chunk begins at 5"),
            (good, 2 * CHUNK, zlib.crc32(good), "No chunk begins"),
        ]:
            with pytest.raises(RemoteError, match=words):
                await client.send_chunk(push.job.id, 0, offset, body, crc)
        with pytest.raises(RemoteError, match="no file 1"):
            await client.send_chunk(push.job.id, 1, 0, good, zlib.crc32(good))
        assert (await client.push(push.job.id)).missing == (((0, 2),),)
        with pytest.raises(RemoteError, match="Not all chunks"):
            await client.finish_push(push.job.id, FinishPush(request_id="2"))


async def test_a_bit_that_flips_in_the_staging_folder_is_found_and_only_that_file_sent_again(
    one: AgentProcess, tmp_path: Path
) -> None:
    source = folder(tmp_path / "m", {"config.json": 30, "x.safetensors": 500})
    async with client_of(one) as client:
        push = await client.begin_push(announce(source))
        for file, path in enumerate(sorted(source.iterdir())):
            await _send(client, push, path, file, 0)
        part = one.models / ".quantdeck-staging" / push.job.id / "f1"
        content = bytearray(part.read_bytes())
        content[250] ^= 1
        part.write_bytes(content)
        job = await _finish(client, push)
        assert (job.state, job.error and job.error.code) == ("failed", "hash-mismatch")
        assert job.error
        assert "x.safetensors has SHA-256" in job.error.detail
        assert not (one.models / "m").exists()
        assert (await client.begin_push(announce(source))).missing == ((), ((0, 1),))
    assert (await sending(host_of(one), source).run()).state == "done"
    assert manifest_of(one.models / "m") == manifest_of(source)


@pytest.mark.parametrize("trick", ["link", "hard link", "pipe", "staging", "stranger"])
async def test_tricks_in_the_staging_folder_write_nothing_elsewhere(
    one: AgentProcess, tmp_path: Path, trick: str
) -> None:
    source, victim = folder(tmp_path / "m", {"config.json": 30}), tmp_path / "victim"
    victim.write_text("precious")
    staging = one.models / ".quantdeck-staging"
    async with client_of(one) as client:
        if trick == "staging":
            one.models.mkdir(exist_ok=True)
            staging.rmdir() if staging.exists() else None
            staging.symlink_to(tmp_path)
            with pytest.raises(RemoteError, match="is no folder"):
                await client.begin_push(announce(source))
            assert sorted(os.listdir(tmp_path)) == ["m", "victim"]
            return
        push = await client.begin_push(announce(source))
        part = staging / push.job.id / "f0"
        if trick == "stranger":
            await _send(client, push, source / "config.json", 0, 0)
            folder(staging / push.job.id / "tree", {"evil.py": 3})
            job = await _finish(client, push)
            assert (job.state, job.error and job.error.code) == ("failed", "staging-tampered")
            assert not (one.models / "m").exists()
            return
        make = {"link": part.symlink_to, "hard link": part.hardlink_to, "pipe": lambda _: os.mkfifo(part)}[trick]
        make(victim)
        with pytest.raises(RemoteError, match=r"is no plain file|is no file of this transfer"):
            await _send(client, push, source / "config.json", 0, 0)
    assert victim.read_text() == "precious"


async def test_two_pushes_of_one_name(one: AgentProcess, tmp_path: Path) -> None:
    first, second = gguf(tmp_path / "1/a.gguf", 3 * CHUNK), gguf(tmp_path / "2/a.gguf", CHUNK)
    async with client_of(one) as client:
        push = await client.begin_push(announce(first))
        await _send(client, push, first, 0, 1)
        with pytest.raises(RemoteError, match=r"Another push of a\.gguf goes on, by tester") as caught:
            await client.begin_push(announce(second))
        assert f"quantdeck model cancel {push.job.id}" in caught.value.info().hint
        joined = await client.begin_push(announce(first, request_id="9"))
        assert (joined.job.id, joined.missing) == (push.job.id, (((0, 1), (2, 3)),))
        both = await asyncio.gather(sending(host_of(one), first).run(), sending(host_of(one), first).run())
        assert [job.state for job in both] == ["done", "done"]
        assert (one.models / "a.gguf").read_bytes() == first.read_bytes()


async def test_a_cancelled_push_leaves_nothing(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 2 * CHUNK)
    async with client_of(one) as client:
        push = await client.begin_push(announce(source))
        await _send(client, push, source, 0, 0)
        assert (await client.cancel_job(push.job.id, CancelJob(request_id="3"))).state == "cancelled"
        assert left_in_staging(one) == []
        with pytest.raises(RemoteError, match="The push is cancelled"):
            await _send(client, push, source, 0, 1)
        assert (await client.begin_push(announce(source))).missing == (((0, 2),),)


async def test_a_viewer_may_look_and_change_nothing(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 10)
    async with client_of(one, "viewer") as client:
        assert (await client.models()).models == ()
        with pytest.raises(RemoteError) as caught:
            await client.begin_push(announce(source))
        assert caught.value.status == 403


async def test_a_push_that_cannot_fit_is_refused_before_anything(one: AgentProcess, tmp_path: Path) -> None:
    ask = announce(gguf(tmp_path / "a.gguf", 10))
    entry = type(ask.manifest.files[0])(path="a.gguf", size=1 << 49, sha256="0" * 64)
    manifest = type(ask.manifest)(kind="file", files=(entry,))
    async with client_of(one) as client:
        with pytest.raises(RemoteError, match=r"512 TiB are needed, and .* may be used: .* are free") as caught:
            await client.begin_push(BeginPush(request_id="1", name="a.gguf", manifest=manifest))
    assert (_code(caught), caught.value.status) == ("no-room", 409)
    assert left_in_staging(one) == []


def _durable(one: AgentProcess) -> int:
    """Chunks of the push that the agent's database says are on the disk; of a copy, since nobody else may open it."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (one.folder / "state").glob("models.db*"):
            shutil.copy(file, folder)
        with contextlib.closing(sqlite3.connect(f"{folder}/models.db")) as db:
            bodies = db.execute("SELECT body FROM record WHERE kind='task'").fetchall()
    tasks = [msgspec.json.decode(body, type=Task) for (body,) in bodies]
    (plan,) = [task.push for task in tasks if task.push and task.job.ended_at is None]
    return sum(int(bits, 16).bit_count() for bits in plan.have)


async def test_a_killed_agent_goes_on_where_it_had_synced(one: AgentProcess, tmp_path: Path) -> None:
    """Killed three times in the middle of one push; each time it goes on with what it had synced."""
    source = gguf(tmp_path / "a.gguf", 20 * CHUNK)
    kills = [1, 8, 12]
    synced: list[int] = []
    resumed: list[int] = []
    starting: list[asyncio.Task[None]] = []

    def told(job: Job) -> None:
        if starting and not starting[-1].done():
            return
        if len(synced) > len(resumed):
            resumed.append(job.bytes_done // CHUNK)
        elif kills and _durable(one) >= kills[0]:
            kills.pop(0)
            one.kill()
            synced.append(_durable(one))
            starting.append(asyncio.create_task(one.start()))

    job = await sending(host_of(one), source, told=told).run()
    assert job.state == "done"
    assert kills == []
    assert resumed == synced
    assert (one.models / "a.gguf").read_bytes() == source.read_bytes()
    assert left_in_staging(one) == []


async def test_an_agent_killed_while_it_checks_finishes_by_itself(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 4 * CHUNK)
    async with client_of(one) as client:
        push = await client.begin_push(announce(source))
        for index in range(4):
            await _send(client, push, source, 0, index)
        await client.finish_push(push.job.id, FinishPush(request_id="2"))
        one.kill()
        await one.start()
        job = await _ended(client, await client.job(push.job.id))
        assert (job.state, job.error) == ("done", None)
        assert [model.digest for model in (await client.models()).models] == [manifest_of(source).digest]
    assert (one.models / "a.gguf").read_bytes() == source.read_bytes()


async def test_a_killed_console_goes_on_with_the_chunks_that_are_missing(one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", 8 * CHUNK)
    running: list[asyncio.Task[Job]] = []

    def told(job: Job) -> None:
        if job.bytes_done >= 3 * CHUNK:
            running[0].cancel()

    running.append(asyncio.create_task(sending(host_of(one), source, told=told).run()))
    with pytest.raises(asyncio.CancelledError):
        await running[0]
    heard: list[int] = []
    job = await sending(host_of(one), source, told=lambda job: heard.append(job.bytes_done)).run()
    assert job.state == "done"
    assert heard[0] >= 3 * CHUNK
    assert (one.models / "a.gguf").read_bytes() == source.read_bytes()
