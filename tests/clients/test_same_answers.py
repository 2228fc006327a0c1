"""An answer through the gateway is the engine's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from clients.asks import CHAT, CHATS, MUST_CALL, TEXT, TEXTS, fields, shared
from clients.engines import MODEL, Served
from gateway.lab.process import Gateway

pytestmark = pytest.mark.timeout(300)
ASKS = {("/v1/chat/completions", name): ask for name, ask in {**CHATS, **MUST_CALL}.items()} | {
    ("/v1/completions", name): ask for name, ask in TEXTS.items()
}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=120, trust_env=False, headers={"x-user-id": "u"}) as client:
        yield client


def skip_what_it_cannot(engine: Served, name: str) -> None:
    if name in MUST_CALL and not engine.tools:
        pytest.skip("its model has no words for JSON")


def events(text: str) -> list[Any]:
    """The data of a stream's events."""
    found = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]
    return [one if one == "[DONE]" else shared(json.loads(one)) for one in found]


def joined(stream: list[Any]) -> dict[str, str]:
    """What a stream says in all, however the engine has cut it into events this time."""
    said: dict[str, str] = {}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, str):
            said[prefix] = said.get(prefix, "") + value
        elif isinstance(value, dict):
            for name, one in value.items():
                add(f"{prefix}.{name}", one)
        elif isinstance(value, list):
            for number, one in enumerate(value):
                add(f"{prefix}.{one.get('index', number) if isinstance(one, dict) else number}", one)

    for event in stream:
        if event != "[DONE]":
            add("", {"choices": event.get("choices")})
    return said


@pytest.mark.parametrize(("path", "name"), ASKS, ids=lambda value: value.rpartition("/")[2])
def test_whole(engine: Served, before: Gateway, http: httpx.Client, path: str, name: str) -> None:
    skip_what_it_cannot(engine, name)
    body = ASKS[path, name]
    direct = http.post(engine.url + path, json=body)
    through = http.post(f"http://127.0.0.1:{before.port}{path}", json=body)
    assert (through.status_code, fields(through.headers)) == (direct.status_code, fields(direct.headers))
    assert shared(through.json()) == shared(direct.json())
    assert through.headers["x-quantdeck-variant"] == "control"
    if name in MUST_CALL:
        (call,) = through.json()["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"])["where"] in ("left", "right")


@pytest.mark.parametrize(("path", "name"), ASKS, ids=lambda value: value.rpartition("/")[2])
def test_streamed(engine: Served, before: Gateway, http: httpx.Client, path: str, name: str) -> None:
    skip_what_it_cannot(engine, name)
    body = {**ASKS[path, name], "stream": True, "stream_options": {"include_usage": True}}
    direct = http.post(engine.url + path, json=body)
    through = http.post(f"http://127.0.0.1:{before.port}{path}", json=body)
    assert (through.status_code, fields(through.headers)) == (direct.status_code, fields(direct.headers))
    if direct.status_code != 200:
        assert shared(through.json()) == shared(direct.json())
        return
    assert events(through.text)[-1] == "[DONE]"
    assert joined(events(through.text)) == joined(events(direct.text))


@pytest.mark.parametrize(
    "body",
    [{}, {**CHAT, "messages": "none"}, {**CHAT, "max_tokens": -5}, {**CHAT, "temperature": "hot"},
     {**CHAT, "messages": [{"role": "user", "content": "x " * 20_000}]}],
    ids=["empty", "no messages", "tokens", "temperature", "too long"],
)  # fmt: skip
def test_its_refusals(engine: Served, before: Gateway, http: httpx.Client, body: dict[str, Any]) -> None:
    path = "/v1/chat/completions"
    direct = http.post(engine.url + path, json=body)
    through = http.post(f"http://127.0.0.1:{before.port}{path}", json=body)
    assert (through.status_code, shared(through.json())) == (direct.status_code, shared(direct.json()))


def test_embeddings(engine: Served, before: Gateway, http: httpx.Client) -> None:
    body = {"model": MODEL, "input": ["what", "the keeper"]}
    direct = http.post(engine.url + "/v1/embeddings", json=body)
    through = http.post(f"http://127.0.0.1:{before.port}/v1/embeddings", json=body)
    assert (through.status_code, shared(through.json())) == (direct.status_code, shared(direct.json()))
    assert (through.status_code == 200) is engine.embeds


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_json_without_bottom(engine: Served, before: Gateway, http: httpx.Client, path: str) -> None:
    """Up to where the gateway refuses it, engines bear it."""
    good = json.dumps(CHAT if "chat" in path else TEXT)
    url = f"http://127.0.0.1:{before.port}{path}"
    for depth, allowed in ((800, (200, 400)), (10_000, (400,))):
        body = f'{good[:-1]}, "x": {"[" * depth}{"]" * depth}}}'
        assert (
            http.post(url, content=body.encode(), headers={"content-type": "application/json"}).status_code in allowed
        )
        assert http.post(url, json=json.loads(good)).status_code == 200
