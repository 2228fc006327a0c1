"""Completions as engines answer them, read into one shape.

Log probabilities come in two. vLLM and llama-cpp-python answer `/v1/completions` in OpenAI's old one (`tokens`,
`top_logprobs` as objects); llama-server and xllamacpp answer both paths in the new one (`content`, a list with
`top_logprobs` as lists). vLLM names one token more than was asked for, and writes minus
infinity as -9999. llama-cpp-python refuses them where it was started with `logits_all` off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import exp, isfinite
from typing import Any

import msgspec

from quantdeck_core.canary.top import MOST, TopTokens, top_tokens
from quantdeck_core.errors import UnreachableError
from quantdeck_core.profile.names import LLAMACPP, VLLM, EngineKind


class UnreadableAnswerError(UnreachableError):
    """It is no completion."""

    code = "unreadable-answer"
    title = "The engine's answer cannot be read"


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer.

    Attributes:
        text: with what a reasoning model thought first.
        next: distribution of the first token; None where none was given.
        broken: log probabilities were given and are no numbers.
        perplexity: of the prompt; None where the engine does not tell (only vLLM does, `prompt_logprobs`).
    """

    text: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    next: TopTokens | None
    broken: bool
    perplexity: float | None


def next_token_body(model: str, prefix: str, logprobs: int, *, perplexity: bool) -> dict[str, Any]:
    """Ask `/v1/completions` which token comes next."""
    body: dict[str, Any] = {"model": model, "prompt": prefix, "max_tokens": 1, "temperature": 0}
    if logprobs:
        body["logprobs"] = logprobs
    if perplexity:
        body["prompt_logprobs"] = 0
    return body


def neutral_sampling(engine: EngineKind) -> dict[str, float]:
    """What a greedy request must say beside, so that engines do not differ by their defaults.

    llama-cpp-python punishes repetition by 1.1 unless told otherwise, and vLLM takes its defaults from the model's
    `generation_config.json`. Of an external engine nothing is known, and it may refuse what OpenAI does not have.
    """
    if engine in VLLM:
        return {"repetition_penalty": 1.0}
    return {"repeat_penalty": 1.0} if engine in LLAMACPP else {}


def answer_body(model: str, prompt: str, max_tokens: int, *, chat: bool) -> dict[str, Any]:
    """Ask for a greedy answer, of `/v1/chat/completions` or of `/v1/completions`."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
    return {"model": model, **said, "max_tokens": max_tokens, "temperature": 0, "seed": 1}


def read_completion(content: bytes) -> Completion:
    """Read one, chat or not.

    Raises:
        UnreadableAnswerError: it is none.
    """
    try:
        # The standard library's, since it takes NaN, and NaN is what this is to find.
        answer = json.loads(content)
        choice = answer["choices"][0]
        message = choice.get("message") or {}
        texts = (
            message.get("reasoning_content") or message.get("reasoning"),
            message.get("content"),
            choice.get("text"),
        )
        usage = answer.get("usage") or {}
        named = _first_named(choice.get("logprobs"))
        top = None if named is None else top_tokens(named)
        return Completion(
            text="".join(text for text in texts if text),
            finish=str(choice.get("finish_reason") or ""),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            next=top,
            broken=named is not None and top is None,
            perplexity=_perplexity(choice.get("prompt_logprobs")),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UnreadableAnswerError(
            f"It is no completion ({type(error).__name__}).", "Read the engine's log."
        ) from None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _first_named(logprobs: Any) -> list[tuple[str, float | None]] | None:
    """What the engine named for the first token; None where it named nothing."""
    if not isinstance(logprobs, Mapping):
        return None
    if content := logprobs.get("content"):
        first = content[0]
        listed = first.get("top_logprobs") or [first]
        return _numbers((one["token"], one["logprob"]) for one in listed)
    tops = logprobs.get("top_logprobs")
    if not tops or not tops[0]:
        return None
    return _numbers(tops[0].items())


def _numbers(named: Iterable[tuple[Any, Any]]) -> list[tuple[str, float | None]]:
    every = [(str(token), None if logprob is None else float(logprob)) for token, logprob in named]
    # Where one is missing or no number they stay as they come: that is to be seen.
    if any(value is None or not isfinite(value) for _, value in every):
        return every
    return sorted(every, key=lambda one: -(one[1] or 0.0))[:MOST]


def _perplexity(positions: Any) -> float | None:
    """exp of the mean negative log probability of the prompt's tokens, without the first, which has none."""
    if not isinstance(positions, list):
        return None
    # Each position names the prompt's own token first; with 0 asked for it is the only one.
    values = [float(next(iter(one.values()))["logprob"]) for one in positions if one]
    return exp(-sum(values) / len(values)) if values else None
