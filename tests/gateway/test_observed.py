"""What operators see of requests: metrics and the access log, and never what was said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.lab.process import Experiment, Gateway
from quantdeck_agent.gateway.flagged import flagged
from quantdeck_core.errors import UnreachableError
from quantdeck_core.hashing import split_digest
from quantdeck_core.protocol.gateway import ApiKey, Limits, Shadow
from quantdeck_core.protocol.keys import digest_of
from support.waiting import eventually

KEY = ApiKey(name="app", sha256=digest_of(b"canary-key"))
ASKS = {"authorization": "Bearer canary-key", "x-user-id": "canary-user", "x-request-id": "r1"}


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_the_access_log_says_how_each_request_ended(tmp_path: Path, experiment: Experiment) -> None:
    file = tmp_path / "access.log"
    gateway = Gateway(tmp_path, "--access-log", str(file))
    await gateway.serve(experiment.route(), keys=[KEY])

    async def chat(**body: object) -> int:
        return (await gateway.ask("POST", "/v1/completions", json.dumps(body).encode(), ASKS)).status

    assert await chat(text="fine") == 200
    assert await chat(stream=True, text="a b") == 200
    assert await chat(act="reset") == 502
    assert await chat(act="reset-mid", stream=True, text="a b c") == 200
    async with gateway.connect() as client:
        client.send("POST", "/v1/completions", b'{"act":"hang"}', ASKS)
        await eventually(lambda: len(experiment.control.seen) == 5)
    await gateway.until_counters(experiment.name, lambda counters: counters.cancelled == 1)
    assert (await gateway.ask("POST", "/v1/completions", b"{}")).status == 401
    assert (await gateway.ask("GET", "/health")).status == 200
    await gateway.serve(experiment.route(control=[]), keys=[KEY])
    assert await chat() == 503
    assert await asyncio.to_thread(gateway.end) == 0
    found = lines(file)
    assert [(one["status"], one["end"]) for one in found] == [
        (200, "done"),
        (200, "done"),
        (502, "broken"),
        (200, "broken"),
        (0, "cancelled"),
        (401, "refused"),
        (503, "refused"),
    ]
    assert {one["request_id"] for one in found[:5]} == {"r1"}
    user = split_digest(experiment.name, "canary-user").hex()[:16]
    for one in found[:5]:
        assert (one["path"], one["experiment"], one["variant"]) == ("/v1/completions", experiment.name, "control")
        assert (one["user"], one["key"], one["replica"], one["model"]) == (user, "app", "control", experiment.name)
        assert one["e2e_ms"] > 0
    assert ["ttft_ms" in one for one in found] == [False, True, False, True, False, False, False]
    assert found[0]["bytes"] == len(experiment.control.body("fine"))
    assert [one["code"] for one in found[5:]] == ["invalid_api_key", "no_replica"]
    assert (found[6]["user"], found[6]["variant"]) == (user, "control")


async def test_a_key_of_low_priority_is_shed_and_what_was_cut_is_said(tmp_path: Path, experiment: Experiment) -> None:
    file = tmp_path / "access.log"
    gateway = Gateway(tmp_path, "--access-log", str(file))
    batch = ApiKey(name="batch", sha256=digest_of(b"batch-key"), priority="low")
    route = experiment.route()
    control = msgspec.structs.replace(route.control, limits=Limits(max_in_flight=1, max_queue=2, cap_tokens=5))
    await gateway.serve(msgspec.structs.replace(route, control=control), keys=[KEY, batch])
    body = b'{"act":"hang","max_tokens":100}'
    async with gateway.connect() as one, gateway.connect() as two:
        one.send("POST", "/v1/completions", body, ASKS)
        await eventually(lambda: experiment.control.seen)
        two.send("POST", "/v1/completions", body, ASKS)
        queued = f'quantdeck_gateway_queued{{experiment="{experiment.name}",variant="control"}} 1\n'
        async with asyncio.timeout(10):
            while queued not in (await gateway.ask("GET", "/metrics", headers=ASKS)).body.decode():
                await asyncio.sleep(0.01)
        low = await gateway.ask("POST", "/v1/completions", body, {"x-api-key": "batch-key"})
        assert (low.status, low.error) == (429, "overloaded")
        assert "x-quantdeck-answer" in low.headers
        experiment.control.release.set()
        assert [(await client.reply()).status for client in (one, two)] == [200, 200]
    assert await asyncio.to_thread(gateway.end) == 0
    assert [(one["key"], one["status"], one.get("code"), one.get("degraded")) for one in lines(file)] == [
        ("batch", 429, "overloaded", None),
        ("app", 200, None, None),
        ("app", 200, None, "cap"),
    ]


async def test_without_an_access_log_there_is_none(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    await gateway.chat()
    assert not [file for file in gateway.config_file.parent.iterdir() if "access" in file.name]


async def test_an_access_log_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Cannot write"):
        Gateway(tmp_path, "--access-log", str(tmp_path / "missing" / "log"))


async def test_metrics_are_what_prometheus_reads(gateway: Gateway, experiment: Experiment) -> None:
    odd = msgspec.structs.replace(experiment.route(), served_name='a "quoted"\\name')
    await gateway.serve(odd)
    async with gateway.connect() as client:
        client.send("POST", "/v1/completions", b'{"stream":true,"act":"hold","text":"a b c"}')
        await client.head()
        await client.chunk()
        experiment.control.release.set()
        while await client.chunk():
            pass
    await gateway.chat()
    text = (await gateway.ask("GET", "/metrics")).body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    control = {"experiment": experiment.name, "variant": "control"}

    def value(family: str, sample: str, **labels: str) -> float:
        found = [one.value for one in families[family].samples if one.name == sample and one.labels == labels]
        assert len(found) == 1, families[family].samples
        return found[0]

    name = "quantdeck_gateway_"
    assert value(name + "requests", name + "requests_total", **control, code="2xx") == 2
    assert value(name + "ttft_seconds", name + "ttft_seconds_count", **control) == 1
    assert value(name + "itl_seconds", name + "itl_seconds_count", **control) >= 1
    assert value(name + "e2e_seconds", name + "e2e_seconds_count", **control) == 2
    assert value(name + "in_flight", name + "in_flight", **control) == 0
    assert value(name + "replica_requests", name + "replica_requests_total", **control, replica="control") == 2
    assert value(name + "weight_bp", name + "weight_bp", experiment=experiment.name) == 0
    assert all(family.documentation.endswith(".") for family in families.values())


async def test_tokens_are_what_the_engines_say(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    await gateway.chat()
    labels = f'{{experiment="{experiment.name}",variant="control"}}'
    async with asyncio.timeout(10):
        while f"prompt_tokens_total{labels} 7\n" not in (text := (await gateway.ask("GET", "/metrics")).body.decode()):
            await asyncio.sleep(0.01)
    assert f"generation_tokens_total{labels} 3\n" in text


async def test_what_was_said_is_in_no_place_that_stays(tmp_path: Path, experiment: Experiment) -> None:
    """Prompts, answers, users, keys and ratings' text all hold the word."""
    file = tmp_path / "access.log"
    gateway = Gateway(tmp_path, "--access-log", str(file))
    route = msgspec.structs.replace(
        experiment.route(5_000), shadow=Shadow(share_bp=10_000), unkeyed="control", keep_flagged=True, cut_loops=True
    )
    await gateway.serve(route, keys=[KEY])
    feed = await gateway.listen()
    loop = {"messages": [{"role": "user", "content": "canary-prompt"}], "text": "canary-answer " * 400}
    for stream in (False, True):
        await gateway.ask("POST", "/v1/completions", json.dumps(loop | {"stream": stream}).encode(), ASKS)
    acts = ("", "fail", "reset", "reset-mid", "until-close")
    for act in acts:
        for stream in (False, True):
            body = {
                "messages": [{"role": "user", "content": "canary-prompt"}],
                "user": "canary-body",
                "text": "canary-answer",
                "stream": stream,
                "act": act,
            }
            for path in ("/v1/chat/completions?canary-query", "/v1/completions"):
                reply = await gateway.ask("POST", path, json.dumps(body).encode(), ASKS)
    answer = reply.headers["x-quantdeck-answer"]
    for sent in ({"answer": answer, "rating": "up", "comment": "canary"}, {"answer": "canary", "rating": "canary"}):
        assert (await gateway.ask("POST", "/v1/feedback", json.dumps(sent).encode(), ASKS)).status == 400
    for body in (b'{"canary', b"canary"):
        await gateway.ask("POST", "/v1/chat/completions", body, ASKS)
    await gateway.ask("POST", "/v1/completions", b"{}", {"authorization": "Bearer canary-wrong"})
    heard = 0
    while heard < len(acts) * 4 + 2:
        signals = await feed.next(experiment.name)
        assert b"canary" not in msgspec.json.encode(signals)
        heard += not signals.shadow
    await feed.close()
    kept_in_memory = await flagged(gateway.signals, experiment.name)
    assert any(b"canary-prompt" in bytes(one.request) for one in kept_in_memory)
    assert all(b"canary" not in msgspec.json.encode(one.answer) for one in kept_in_memory)
    with pytest.raises(UnreachableError) as no_answer:
        await flagged(tmp_path / "missing", "canary")
    assert "canary" not in f"{no_answer.value} {no_answer.value.hint}"
    metrics = (await gateway.ask("GET", "/metrics", headers=ASKS)).body
    status = msgspec.json.encode(await gateway.status())
    assert await asyncio.to_thread(gateway.end) == 0
    assert len(lines(file)) > 20
    kept = [one for one in tmp_path.iterdir() if one.is_file()]
    assert {one.name for one in kept} == {"access.log", "g.json", "g.key", "log"}
    for place in (metrics, status, *(one.read_bytes() for one in kept)):
        assert b"canary" not in place
