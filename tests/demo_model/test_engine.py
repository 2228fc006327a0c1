"""A real engine serves the files: answers end by themselves, and loop only where the model is damaged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest

from quantdeck_demo.model import VARIANTS, sample_prompts
from support.served import serving

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the engine xllamacpp")

ANSWERS = 80
SLOTS = 4


@pytest.fixture(scope="module", params=VARIANTS)
def engine(request: pytest.FixtureRequest, models: dict[str, Path]) -> Iterator[tuple[str, int]]:
    """Variant and port, one engine at a time."""
    with serving(models[request.param]) as port:
        yield request.param, port


def call(port: int, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        text = None if body is None else json.dumps(body)
        connection.request("GET" if text is None else "POST", path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()


def question(prompt: str, seed: int, **more: object) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "demo", "messages": messages, "temperature": 0.8, "max_tokens": 200, "seed": seed, **more}


def loops(text: str) -> bool:
    """Whether a word 4-gram appears more than 4 times, in texts of at least 100 characters and 8 words."""
    words = text.lower().split()
    if len(text) < 100 or len(words) < 8:
        return False
    return max(Counter(zip(*(words[start:] for start in range(4)), strict=False)).values()) > 4


def test_answers_are_healthy_or_loop_as_the_variant_says(engine: tuple[str, int]) -> None:
    variant, port = engine
    prompts = sample_prompts(ANSWERS, Random(11))

    def ask(seed: int) -> tuple[str, str]:
        status, body = call(port, "/v1/chat/completions", question(prompts[seed], seed))
        assert status == 200, body
        choice = json.loads(body)["choices"][0]
        return choice["message"]["content"], choice["finish_reason"]

    with ThreadPoolExecutor(SLOTS) as pool:
        answers = list(pool.map(ask, range(ANSWERS)))
    looping = sum(loops(text) for text, _ in answers) / ANSWERS
    stopped = sum(reason == "stop" for _, reason in answers) / ANSWERS
    if variant == "damaged":
        assert 0.30 <= looping <= 0.80
    else:
        assert looping <= 0.02
        assert stopped >= 0.90
    ended = [text for text, reason in answers if reason == "stop"]
    assert all(text[0].isupper() and text.endswith(".") and "<" not in text for text in ended)
    assert call(port, "/health")[0] == 200


def test_answers_stream_and_end_with_done(engine: tuple[str, int]) -> None:
    _, port = engine
    status, body = call(port, "/v1/chat/completions", question("What does the keeper do?", 3, stream=True))
    assert status == 200
    events = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert len([choice for choice in choices if choice["delta"].get("content")]) > 3
    assert choices[-1]["finish_reason"] in ("stop", "length")


def test_the_prompt_decides_how_an_answer_begins(engine: tuple[str, int]) -> None:
    _, port = engine

    def beginning(prompt: str) -> dict[str, float]:
        body = question(prompt, 1, max_tokens=1, logprobs=True, top_logprobs=8)
        first = json.loads(call(port, "/v1/chat/completions", body)[1])["choices"][0]["logprobs"]["content"][0]
        return {candidate["token"]: candidate["logprob"] for candidate in first["top_logprobs"]}

    assert beginning("Who rings the bell?") == pytest.approx(beginning("Who rings the lamp?"))
    assert set(beginning("Who rings the bell?")) != set(beginning("Who rings the bell ?"))


def test_prompts_have_no_unknown_tokens(engine: tuple[str, int]) -> None:
    _, port = engine
    for prompt in sample_prompts(20, Random(5)):
        tokens = json.loads(call(port, "/tokenize", {"content": prompt})[1])["tokens"]
        assert 0 not in tokens
        assert json.loads(call(port, "/detokenize", {"tokens": tokens})[1])["content"] == prompt


def test_the_file_s_own_sampling_settings_are_the_default(engine: tuple[str, int]) -> None:
    _, port = engine
    defaults = json.loads(call(port, "/props")[1])["default_generation_settings"]["params"]
    assert (defaults["top_k"], defaults["top_p"]) == (0, 1.0)
