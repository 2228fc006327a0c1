"""Pulls by a real agent from a real server: cut, redirected, lied to, through a proxy, from a hub."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantdeck_agent.models import remote
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.errors import RemoteError, UnreachableError
from quantdeck_core.protocol.models import CancelJob, Job, Pull
from support.agents import AgentProcess, agent
from support.pushes import client_of, left_in_staging
from support.sources import Proxy, Source, served
from support.waiting import eventually

MIB = 1 << 20
CONTENT = b"GGUF" + os.urandom(9 * MIB)
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    one = Source(files={"/a.gguf": CONTENT})
    async with served(one):
        yield one


@pytest.fixture
async def client(one: AgentProcess) -> AsyncIterator[ModelClient]:
    async with client_of(one) as found:
        yield found


async def ended(client: ModelClient, job: Job) -> Job:
    async with asyncio.timeout(30):
        while job.ended_at is None:
            await asyncio.sleep(0.02)
            job = await client.job(job.id)
    return job


async def pulled(client: ModelClient, source: str, **wish: object) -> Job:
    ask = Pull(request_id=os.urandom(4).hex(), by="tester", source=source, **wish)  # type: ignore[arg-type]
    return await ended(client, await client.pull(ask))


async def test_a_url_with_its_hash(one: AgentProcess, client: ModelClient, source: Source) -> None:
    job = await pulled(client, f"{source.url}/a.gguf?signature=secret", sha256=SHA)
    assert (job.state, job.digest, job.bytes_total, job.bytes_done) == ("done", SHA, len(CONTENT), len(CONTENT))
    assert (one.models / "a.gguf").read_bytes() == CONTENT
    (model,) = (await client.models()).models
    assert (model.digest, model.unverified, model.source) == (SHA, False, f"{source.url}/a.gguf")
    assert "secret" not in one.log()
    again = await pulled(client, f"{source.url}/a.gguf", sha256=SHA)
    assert (again.state, again.note) == ("done", "the same content is there already")
    assert left_in_staging(one) == []


async def test_a_connection_that_breaks_is_resumed(one: AgentProcess, client: ModelClient, source: Source) -> None:
    source.cut_after = [5 * MIB, 2 * MIB, 0]
    job = await pulled(client, f"{source.url}/a.gguf", sha256=SHA)
    assert job.state == "done", job.error
    ranges = [asked.headers.get("range") for asked in source.asked]
    assert ranges[0] is None
    assert all(later and later > "bytes=1" for later in ranges[1:])
    assert source.asked[-1].headers["if-range"] == '"v1"'
    assert (one.models / "a.gguf").read_bytes() == CONTENT


async def test_a_file_that_changed_meanwhile_is_fetched_anew(client: ModelClient, source: Source) -> None:
    source.cut_after = [5 * MIB]
    other = b"GGUF" + os.urandom(3 * MIB)

    def sent(at: int) -> None:
        if at >= 4 * MIB:
            source.files["/a.gguf"], source.etag, source.sent = other, '"v2"', lambda _: None

    source.sent = sent
    job = await pulled(client, f"{source.url}/a.gguf", sha256=hashlib.sha256(other).hexdigest())
    assert (job.state, job.bytes_total) == ("done", len(other)), job.error


async def test_a_server_without_ranges_begins_anew(client: ModelClient, source: Source) -> None:
    source.ranges, source.cut_after = False, [5 * MIB]
    job = await pulled(client, f"{source.url}/a.gguf", sha256=SHA)
    assert (job.state, job.bytes_done) == ("done", len(CONTENT)), job.error


async def test_wrong_bytes_are_never_placed(one: AgentProcess, client: ModelClient, source: Source) -> None:
    job = await pulled(client, f"{source.url}/a.gguf", sha256="0" * 64)
    assert (job.state, job.error and job.error.code) == ("failed", "hash-mismatch")
    assert not (one.models / "a.gguf").exists()
    assert (await client.models()).models == ()


async def test_unverified_is_taken_only_when_asked_for_and_never_hidden(client: ModelClient, source: Source) -> None:
    with pytest.raises(RemoteError, match="Nobody says what this file should contain"):
        await pulled(client, f"{source.url}/a.gguf")
    source.endless = True
    job = await pulled(client, f"{source.url}/a.gguf", unverified=True)
    assert job.state == "done", job.error
    assert "UNVERIFIED" in job.note
    (model,) = (await client.models()).models
    assert (model.unverified, model.digest) == (True, SHA)


@pytest.mark.parametrize("habit", ["not found", "loop", "file", "huge", "teapot"])
async def test_answers_that_are_none(one: AgentProcess, client: ModelClient, source: Source, habit: str) -> None:
    url, words = f"{source.url}/a.gguf", ""
    match habit:
        case "not found":
            url, words = f"{source.url}/b.gguf", "answers HTTP 404"
        case "loop":
            source.redirects["/a.gguf"], words = "/a.gguf", "more than 5 redirects"
        case "file":
            source.redirects["/a.gguf"], words = "file:///etc/passwd", "is no http or https URL"
        case "huge":
            source.lie, words = 1 << 49, "512 TiB are needed"
        case _:
            source.status["/a.gguf"], words = 418, "answers HTTP 418"
    job = await pulled(client, url, sha256=SHA, name=f"{habit.replace(' ', '')}.gguf")
    assert job.state == "failed"
    assert job.error
    assert words in job.error.detail
    assert (await client.models()).models == ()


async def test_a_source_that_announces_more_than_it_has_is_given_up(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(remote, "LAST_PAUSE_S", 0.02)
    source.lie = 10
    got = bytearray()

    async def take(piece: bytes) -> None:
        got.extend(piece)

    async def began(_: remote.Answer) -> None:
        return

    async with remote.client("") as http:
        with pytest.raises(UnreachableError, match="broke off 6 times"):
            await remote.fetch(http, f"{source.url}/a.gguf", lambda: len(got), lambda: '"v1"', began, take)
    assert (len(source.asked), bytes(got)) == (7, CONTENT)


async def test_redirects_are_followed(client: ModelClient, source: Source) -> None:
    source.redirects["/latest"] = f"{source.url}/a.gguf"
    assert (await pulled(client, f"{source.url}/latest", sha256=SHA, name="l.gguf")).state == "done"


async def test_through_a_proxy(client: ModelClient, source: Source) -> None:
    proxy = Proxy()
    async with served(proxy):
        job = await pulled(client, f"{source.url}/a.gguf", sha256=SHA, proxy=proxy.url)
    assert job.state == "done", job.error
    assert proxy.seen == [f"{source.url}/a.gguf"]


async def test_the_proxy_of_the_agents_environment(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy()
    async with served(proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        for no_proxy, used in (("", 1), ("127.0.0.1", 0)):
            monkeypatch.setenv("NO_PROXY", no_proxy)
            monkeypatch.setenv("no_proxy", no_proxy)
            proxy.seen.clear()
            async with agent(tmp_path / f"models{used}") as one, client_of(one) as client:
                assert (await pulled(client, f"{source.url}/a.gguf", sha256=SHA)).state == "done"
            assert len(proxy.seen) == used


async def test_a_killed_agent_goes_on_with_its_pulls(one: AgentProcess, client: ModelClient) -> None:
    content = b"GGUF" + os.urandom(40 * MIB)
    source = Source(files={"/k.gguf": content}, cut_after=[36 * MIB, 0])
    held = asyncio.Event()

    async with served(source):
        source.sent = lambda at: held.set() if at >= 35 * MIB else None
        ask = Pull(request_id="k", source=f"{source.url}/k.gguf", sha256=hashlib.sha256(content).hexdigest())
        job = await client.pull(ask)
        await held.wait()
        # The next try is refused, so that the agent is in the middle of it when it dies.
        await eventually(lambda: len(source.asked) >= 2, what="a second try")
        one.kill()
        tries = len(source.asked)
        await one.start()
        done = await ended(client, await client.job(job.id))
        assert done.state == "done", done.error
        assert int(source.asked[tries].headers["range"][6:-1]) >= 16 * MIB
        assert (await client.pull(ask)) == done  # the same request again does nothing
    assert (one.models / "k.gguf").read_bytes() == content


async def test_a_cancelled_pull_leaves_nothing(one: AgentProcess, client: ModelClient, source: Source) -> None:
    source.lie, source.cut_after = 10, [MIB] * 50
    ask = Pull(request_id="c", source=f"{source.url}/a.gguf", name="c.gguf", sha256=SHA)
    job = await client.pull(ask)
    await eventually(lambda: source.asked, what="a request")
    other = Pull(request_id="d", source=f"{source.url}/other", name="c.gguf", sha256=SHA)
    with pytest.raises(RemoteError, match=r"Another pull of c.gguf goes on"):
        await client.pull(other)
    assert (await client.cancel_job(job.id, CancelJob(request_id="x"))).state == "cancelled"
    assert left_in_staging(one) == []


COMMIT = "c" * 40
SMALL = b'{"architectures": []}'


def _hub(extra: str = "") -> Source:
    git = hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest()
    siblings = [
        {"rfilename": ".gitattributes", "size": 3, "blobId": "1" * 40},
        {"rfilename": "config.json", "size": len(SMALL), "blobId": git},
        {"rfilename": "model.safetensors", "size": len(CONTENT), "blobId": "2" * 40}
        | {"lfs": {"sha256": SHA, "size": len(CONTENT), "pointerSize": 100}},
        {"rfilename": "onnx/model.onnx", "size": 5, "blobId": "3" * 40},
    ]
    if extra:
        siblings.append({"rfilename": extra, "size": 1, "blobId": "4" * 40})
    return Source(
        files={
            "/api/models/org/m/revision/main": json.dumps({"sha": COMMIT, "siblings": siblings}).encode(),
            f"/org/m/resolve/{COMMIT}/config.json": SMALL,
            "/cdn/weights": CONTENT,
        }
    )


async def test_a_repository_of_a_hub_at_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, cdn = _hub(), Source(files={"/cdn/weights": CONTENT})
    async with served(hub, cdn):
        hub.redirects[f"/org/m/resolve/{COMMIT}/model.safetensors"] = f"http://localhost:{cdn.port}/cdn/weights"
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
        async with agent(tmp_path / "models") as one, client_of(one) as client:
            job = await pulled(client, "hf:org/m@main", include=("*.json", "*.safetensors"))
            assert job.state == "done", job.error
            assert job.source == f"hf:org/m@main ({COMMIT[:12]})"
            assert (one.models / "m/config.json").read_bytes() == SMALL
            assert (one.models / "m/model.safetensors").read_bytes() == CONTENT
            assert sorted(os.listdir(one.models / "m")) == ["config.json", "model.safetensors"]
            assert (await client.models()).models[0].unverified is False
            assert all(asked.headers["authorization"] == "Bearer hf_very_secret" for asked in hub.asked)
            assert all("authorization" not in asked.headers for asked in cdn.asked)
            again = await pulled(client, "hf:org/m@main", include=("*.json", "*.safetensors"))
            assert (again.state, again.note) == ("done", "the same content is there already")

            hub.files[f"/org/m/resolve/{COMMIT}/config.json"] = SMALL.replace(b"[]", b"{}")
            bad = await pulled(client, "hf:org/m@main", include=("config.json",), name="bad")
            assert (bad.state, bad.error and bad.error.code) == ("failed", "hash-mismatch")
            for path in (one.folder / "state").rglob("*"):
                assert not path.is_file() or b"hf_very_secret" not in path.read_bytes()
            assert "hf_very_secret" not in one.log()


@pytest.mark.parametrize(
    ("extra", "source", "words"),
    [("../../etc/cron.d/x", "hf:org/m@main", "cannot be stored"), ("", "hf:org/m@gone", "answers HTTP 404")],
)
async def test_repositories_that_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str, source: str, words: str
) -> None:
    hub = _hub(extra)
    async with served(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        async with agent(tmp_path / "models") as one, client_of(one) as client:
            job = await pulled(client, source)
            assert job.state == "failed"
            assert job.error
            assert words in job.error.detail
            assert not any(path for path in one.models.rglob("*") if path.is_file())
