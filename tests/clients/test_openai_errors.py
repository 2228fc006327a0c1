"""How the official Python client takes what goes wrong: refusals, retries, deadlines, leaving early."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from gateway.lab.process import Experiment, Gateway
from gateway.lab.replay import replay
from support.waiting import eventually

MESSAGES: list[Any] = [{"role": "user", "content": "x"}]
ANSWER = b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[]}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    await gateway.serve(experiment.route())
    return experiment


@contextlib.asynccontextmanager
async def asking(gateway: Gateway, **how: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of the gateway; it does not try again unless told so."""
    how = {"max_retries": 0, "timeout": 10, "default_headers": {"x-user-id": "u"}, **how}
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="k", **how) as client:
        yield client


async def chat(client: openai.AsyncOpenAI, model: str = "m", **more: Any) -> Any:
    return await client.chat.completions.create(model=model, messages=MESSAGES, extra_body=more.pop("body", {}), **more)


async def test_model_that_nobody_serves(gateway: Gateway, experiment: Experiment) -> None:
    other = Experiment(f"{experiment.name}-other", experiment.treatment, experiment.control)
    await gateway.serve(experiment.route(), other.route())
    async with asking(gateway) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            await chat(client, "unknown")
        assert refused.value.code == "model_not_found"
        assert "/v1/models" in refused.value.message
        assert {model.id async for model in client.models.list()} == {experiment.name, other.name}


async def test_path_that_is_not_served(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            await client.responses.create(model="m", input="x")
    assert refused.value.code == "unknown_path"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (401, openai.AuthenticationError), (403, openai.PermissionDeniedError),
     (404, openai.NotFoundError), (409, openai.ConflictError), (422, openai.UnprocessableEntityError),
     (429, openai.RateLimitError), (500, openai.InternalServerError)],
)  # fmt: skip
async def test_an_engines_error_keeps_its_status_and_words(
    gateway: Gateway, status: int, error: type[openai.APIStatusError]
) -> None:
    body = b'{"error":{"message":"own words","code":"own","type":"t","param":null}}'
    async with replay() as engine, asking(gateway) as client:
        await gateway.serve(engine.route("errors"))
        head = b"HTTP/1.1 %d Own\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        engine.say(head % (status, len(body)) + body)
        with pytest.raises(error) as refused:
            await chat(client)
        assert (refused.value.status_code, refused.value.code) == (status, "own")
        assert "own words" in refused.value.message
        assert len(engine.seen) == 1


async def test_too_large(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await chat(client, body={"x": "x" * 17_000_000})
    assert refused.value.status_code == 413


async def test_retry_after_is_waited_for(gateway: Gateway) -> None:
    """Longer than the half second that the client waits where nothing is said."""
    async with replay() as engine, asking(gateway, max_retries=1) as client:
        await gateway.serve(engine.route("busy"))
        engine.say(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\ncontent-length: 2\r\n\r\n{}")
        began = time.monotonic()
        asked = asyncio.create_task(chat(client))
        await eventually(lambda: len(engine.seen) == 1)
        engine.pieces = [OK]
        assert (await asked).id == "1"
        assert time.monotonic() - began >= 2
        assert len(engine.seen) == 2


async def test_no_replica_is_tried_again_later(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(control=[]))
    async with asking(gateway, max_retries=1) as client:
        began = time.monotonic()
        with pytest.raises(openai.InternalServerError) as refused:
            await chat(client)
        assert time.monotonic() - began >= 2
    assert (refused.value.status_code, refused.value.code) == (503, "no_replica")
    assert refused.value.response.headers["retry-after"] == "2"
    assert (await gateway.arms(experiment.name))[0].requests == 2


async def test_engine_that_breaks_off_in_mid_stream(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        stream = aiter(await chat(client, stream=True, body={"act": "reset-mid", "text": "a b c"}))
        assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["a ", "b "]
        with pytest.raises(openai.APIError) as broken:
            await anext(stream)
    assert broken.value.code == "engine_broke_off"


async def test_deadline(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway, timeout=0.5) as client:
        with pytest.raises(openai.APITimeoutError):
            await chat(client, body={"act": "hang"})
    await eventually(lambda: served.control.cancelled == 1, 1.0, "the engine is told")


async def test_leaves_in_mid_stream(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        stream = await chat(client, stream=True, body={"act": "hold"})
        async for one in stream:
            assert one.choices[0].delta.content == "fine "
            break
        await stream.close()
        await eventually(lambda: served.control.cancelled == 1, 1.0, "the engine is told")
        assert (await client.models.list()).data


async def test_leaves_in_mid_stream_without_await(gateway: Gateway, served: Experiment) -> None:
    def leave() -> None:
        base = f"http://127.0.0.1:{gateway.port}/v1"
        with openai.OpenAI(base_url=base, api_key="k", default_headers={"x-user-id": "u"}) as client:
            ask: Any = client.chat.completions.create
            with ask(model="m", messages=MESSAGES, stream=True, extra_body={"act": "hold"}) as stream:
                assert next(iter(stream)).choices[0].delta.content == "fine "

    await asyncio.to_thread(leave)
    await eventually(lambda: served.control.cancelled == 1, 1.0, "the engine is told")


async def test_a_cancelled_task(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        task = asyncio.create_task(chat(client, body={"act": "hang"}))
        await eventually(lambda: len(served.control.seen) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: served.control.cancelled == 1, 1.0, "the engine is told")


async def test_many_at_once(gateway: Gateway, served: Experiment) -> None:
    async with asking(gateway) as client:
        answers = await asyncio.gather(*(chat(client, body={"text": str(number)}) for number in range(100)))
    assert [one.choices[0].message.content for one in answers] == [str(number) for number in range(100)]
