"""Requests that bring a text into an engine by every way that its log may take."""

from __future__ import annotations

import contextlib
import json

import httpx


async def send_all(url: str, model: str, text: str) -> int:
    """Send them; returns how many were answered with 200. An engine may refuse the others, and log why."""
    chat = [{"role": "user", "content": f"{text} hello"}]
    bodies: list[tuple[str, object]] = [
        ("chat/completions", {"messages": chat}),
        ("completions", {"prompt": text}),
        ("completions", {"prompt": f"{text} " * 4_000}),
        ("completions", {"prompt": "x", "grammar": f"root ::= {text}\n bad ::= (("}),
        ("completions", {"prompt": "x", "stop": [text], "logit_bias": text}),
        ("completions", {"prompt": "x", "max_tokens": text}),
        ("completions", {"prompt": {"a": text}}),
        ("chat/completions", {"messages": [{"role": text, "content": {"a": text}}]}),
        ("chat/completions", {"messages": text}),
        ("chat/completions", {"messages": chat, "response_format": {"type": text}}),
        (
            "chat/completions",
            {
                "messages": chat,
                "response_format": {"type": "json_schema", "json_schema": {"name": text, "schema": {"type": text}}},
            },
        ),
        (
            "chat/completions",
            {
                "messages": chat,
                "tools": [{"type": "function", "function": {"name": text, "parameters": {"type": "object"}}}],
                "tool_choice": "required",
            },
        ),
    ]
    raw = [b'{"prompt": "' + text.encode() + b'" oops', b'"' + text.encode() + b"\xff\xfe", text.encode()]
    answered = 0
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        for path, body in bodies:
            filled = {"model": model, "max_tokens": 5, **body} if isinstance(body, dict) else body
            answered += await _post(http, path, json.dumps(filled).encode())
        for content in raw:
            answered += await _post(http, "completions", content)
    return answered


async def _post(http: httpx.AsyncClient, path: str, content: bytes) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = await http.post(f"/v1/{path}", content=content, headers={"content-type": "application/json"})
        return answer.status_code == 200
    return False
