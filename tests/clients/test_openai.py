"""The official Python client with real engines behind the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest

from clients.asks import CHAT, FIXED, MUST_CALL, TEXT, TOOL
from clients.engines import MODEL, Served
from gateway.lab.process import Gateway

pytestmark = pytest.mark.timeout(300)
USER = {"x-user-id": "u"}


@pytest.fixture
def client(engine: Served, before: Gateway) -> Iterator[openai.OpenAI]:
    base = f"http://127.0.0.1:{before.port}/v1"
    with openai.OpenAI(base_url=base, api_key="k", default_headers=USER, timeout=120, max_retries=0) as one:
        yield one


@pytest.fixture
async def later(engine: Served, before: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    base = f"http://127.0.0.1:{before.port}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="k", default_headers=USER, timeout=120, max_retries=0) as one:
        yield one


def text_of(stream: Any) -> str:
    return "".join(one.choices[0].delta.content or "" for one in stream if one.choices)


def test_chat(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**CHAT)
    assert raw.headers["x-quantdeck-variant"] == "control"
    answer = raw.parse()
    assert answer.choices[0].message.role == "assistant"
    assert answer.usage
    assert 0 < answer.usage.completion_tokens <= CHAT["max_tokens"]
    again = client.chat.completions.create(**CHAT, stream=True)
    assert text_of(again) == answer.choices[0].message.content


async def test_chat_async(later: openai.AsyncOpenAI) -> None:
    answer = await later.chat.completions.create(**CHAT)
    said, usage = "", None
    async for one in await later.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}):
        usage = one.usage or usage
        said += one.choices[0].delta.content or "" if one.choices else ""
    assert said == answer.choices[0].message.content
    assert usage is None or usage == answer.usage or usage.completion_tokens == CHAT["max_tokens"]


def test_logprobs(client: openai.OpenAI) -> None:
    (choice,) = client.chat.completions.create(**CHAT, logprobs=True, top_logprobs=2).choices
    assert choice.logprobs
    assert choice.logprobs.content
    assert all(one.logprob <= 0 and one.top_logprobs for one in choice.logprobs.content)
    streamed = [
        token.token
        for one in client.chat.completions.create(**CHAT, logprobs=True, top_logprobs=2, stream=True)
        if one.choices and one.choices[0].logprobs
        for token in one.choices[0].logprobs.content or ()
    ]
    assert streamed == [one.token for one in choice.logprobs.content]


def test_several_choices(engine: Served, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**{**CHAT, "temperature": 1.0}, n=2)
    # llama-cpp-python knows no `n`: one answer, as without the gateway.
    assert [choice.index for choice in answer.choices] == ([0] if engine.name == "llama-cpp-python" else [0, 1])


def test_stop(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**CHAT).choices[0].message.content or ""
    stop = whole[len(whole) // 2 :][:4]
    (choice,) = client.chat.completions.create(**CHAT, stop=[stop]).choices
    assert choice.finish_reason == "stop"
    assert choice.message.content == whole[: whole.index(stop)]


def test_tools(engine: Served, client: openai.OpenAI) -> None:
    if not engine.tools:
        assert client.chat.completions.create(**CHAT, tools=[TOOL]).choices[0].message
        pytest.skip("its model has no words for JSON: only the request was tried")
    ask = MUST_CALL["tool it must use"]
    (choice,) = client.chat.completions.create(**ask).choices
    assert choice.message.tool_calls
    called: Any = choice.message.tool_calls[0]
    assert called.function.name == "look"
    arguments = ""
    for one in client.chat.completions.create(**ask, stream=True):
        for call in (one.choices[0].delta.tool_calls or ()) if one.choices else ():
            arguments += (call.function.arguments or "") if call.function else ""
    assert json.loads(arguments) == json.loads(called.function.arguments)


def test_legacy_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(**TEXT)
    streamed = "".join(one.choices[0].text for one in client.completions.create(**TEXT, stream=True) if one.choices)
    assert streamed == answer.choices[0].text


def test_embeddings(engine: Served, client: openai.OpenAI) -> None:
    if not engine.embeds:
        with pytest.raises(openai.APIStatusError):
            client.embeddings.create(model=MODEL, input="what")
        return
    answer = client.embeddings.create(model=MODEL, input=["what", "the keeper"], encoding_format="float")
    assert len(answer.data) == 2
    assert answer.data[0].embedding


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]


def test_an_engines_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**{**FIXED, "messages": "none"})  # type: ignore[call-overload]
    assert refused.value.status_code in (400, 422, 500)
