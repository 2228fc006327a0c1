"""What real engines are asked, and what of their answers two runs share."""

from __future__ import annotations

from typing import Any

from clients.engines import MODEL

TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look somewhere.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"where": {"type": "string", "enum": ["left", "right"]}},
            "required": ["where"],
            "additionalProperties": False,
        },
    },
}
FIXED: dict[str, Any] = {"model": MODEL, "temperature": 0, "seed": 1, "max_tokens": 12}
CHAT: dict[str, Any] = {**FIXED, "messages": [{"role": "user", "content": "what does the keeper do, größer?"}]}
TEXT: dict[str, Any] = {**FIXED, "prompt": "what does the keeper do"}

CHATS: dict[str, dict[str, Any]] = {
    "plain": CHAT,
    "logprobs": {**CHAT, "logprobs": True, "top_logprobs": 3},
    "stop": {**CHAT, "stop": [" the", "\n"]},
    "several": {**CHAT, "n": 2, "temperature": 0.0001},
    "tools it may use": {**CHAT, "tools": [TOOL]},
    "no tokens": {**CHAT, "max_tokens": 1},
}
# Without spaces (token 3 of tests/clients/tiny_speller.py) between the parts of its JSON, which would have no end.
_CALLING: dict[str, Any] = {**CHAT, "tools": [TOOL], "max_tokens": 80, "logit_bias": {"3": -100}}
MUST_CALL: dict[str, dict[str, Any]] = {
    "tool it must use": {**_CALLING, "tool_choice": "required"},
    "tool by name": {**_CALLING, "tool_choice": {"type": "function", "function": {"name": "look"}}},
}
TEXTS: dict[str, dict[str, Any]] = {
    "plain": TEXT,
    "logprobs": {**TEXT, "logprobs": 2},
    "echo": {**TEXT, "echo": True},
    "stop": {**TEXT, "stop": [" the"]},
}

# Each run has its own: ids, clocks, and what was timed.
_OWN = {"id", "created", "timings", "prompt_logprobs"}


def shared(answer: Any) -> Any:
    """An answer, or a part of it, without what each run has of its own."""
    match answer:
        case dict():
            return {name: shared(value) for name, value in answer.items() if name not in _OWN}
        case list():
            return [shared(one) for one in answer]
        case _:
            return answer


def fields(headers: Any) -> dict[str, str]:
    """The header fields that an answer has in common with the same one through the gateway."""
    mine = ("date", "transfer-encoding", "keep-alive", "connection", "content-length")
    return {
        name: value for name, value in headers.items() if not name.startswith("x-quantdeck-")
        and name not in (*mine, "x-request-id", "process-time", "openai-processing-ms")
    }  # fmt: skip
