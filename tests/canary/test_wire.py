"""Completions as four engines write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.canary.wire import Completion, UnreadableAnswerError, read_completion


def read(choice: dict[str, Any], **usage: Any) -> Completion:
    return read_completion(json.dumps({"choices": [choice], "usage": usage}).encode())


def test_vllm_and_llama_cpp_python_completions() -> None:
    """Old style; vLLM names one token more than was asked for."""
    logprobs = {
        "tokens": [" Paris"],
        "token_logprobs": [-0.2],
        "top_logprobs": [{" Paris": -0.2, " Lyon": -2.5, " Rome": -9999.0}],
        "text_offset": [0],
    }
    said = read({"text": " Paris", "finish_reason": "length", "logprobs": logprobs}, prompt_tokens=6)
    assert said.next
    assert said.next.tokens == (" Paris", " Lyon")
    assert (said.text, said.finish, said.prompt_tokens, said.broken) == (" Paris", "length", 6, False)


def test_llama_server_completions_and_everybody_s_chat() -> None:
    """New style; llama.cpp writes special tokens as empty texts."""
    named = [{"id": 4, "token": token, "logprob": value} for token, value in ((" a", -0.7), ("", -0.9), ("", -3.0))]
    content = {"content": [{"token": " a", "logprob": -0.7, "bytes": None, "top_logprobs": named}]}
    for choice in ({"text": " a"}, {"message": {"role": "assistant", "content": " a"}}):
        said = read({**choice, "logprobs": content}, completion_tokens=1)
        assert said.next
        assert said.next.tokens == (" a", "")
        assert (said.text, said.completion_tokens) == (" a", 1)


def test_vllm_prompt_log_probabilities_are_a_perplexity() -> None:
    positions = [None, {"17": {"logprob": -1.0, "rank": 1}}, {"4": {"logprob": -3.0, "rank": 9}}]
    assert read({"text": "x", "prompt_logprobs": positions}).perplexity == pytest.approx(7.389, abs=0.001)


def test_an_answer_without_log_probabilities_is_one() -> None:
    for none in ({}, {"logprobs": None}, {"logprobs": {"content": None}}, {"logprobs": {"top_logprobs": []}}):
        said = read({"text": "a", **none})
        assert (said.next, said.broken) == (None, False)


@pytest.mark.parametrize("value", ["NaN", "null", "Infinity"])
def test_what_is_no_number_is_broken(value: str) -> None:
    old = '{"choices": [{"text": "", "logprobs": {"top_logprobs": [{"a": VALUE}]}}]}'
    new = '{"choices": [{"text": "", "logprobs": {"content": [{"token": "a", "logprob": VALUE}]}}]}'
    for text in (old, new):
        said = read_completion(text.replace("VALUE", value).encode())
        assert (said.next, said.broken) == (None, True)


def test_thoughts_are_part_of_the_text() -> None:
    said = read({"message": {"reasoning_content": "Hm. ", "content": "Yes."}})
    assert said.text == "Hm. Yes."


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [7]}', b"[" * 100_000, b"\xff",
     b'{"choices": [{"logprobs": {"content": [{}]}}]}', b'{"choices": [{"logprobs": {"top_logprobs": [{"a": "b"}]}}]}'],
)  # fmt: skip
def test_what_is_no_completion_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        read_completion(content)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional={
    "text": _JSON, "message": _JSON, "finish_reason": _JSON, "logprobs": _JSON, "prompt_logprobs": _JSON,
}))  # fmt: skip
def test_no_answer_of_an_engine_is_anything_but_read_or_refused(choice: dict[str, Any]) -> None:
    try:
        said = read_completion(json.dumps({"choices": [choice]}).encode())
    except UnreadableAnswerError:
        return
    assert isinstance(said.text, str)
