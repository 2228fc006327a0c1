"""Questions of ours to one engine, past the gateway: bounded in time and size."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx

from quantdeck_agent.canaries.target import ArmTarget
from quantdeck_core.canary.latency import Timing
from quantdeck_core.canary.sample import Trouble
from quantdeck_core.canary.wire import Completion, UnreadableAnswerError, answer_body, next_token_body, read_completion
from quantdeck_core.errors import UnreachableError
from quantdeck_core.text import clean

MAX_ANSWER_BYTES = 4 << 20
_MAX_DETAIL = 200
_COMPLETIONS, _CHAT = "/v1/completions", "/v1/chat/completions"
_BUSY = (408, 429, 503)


class AskError(UnreachableError):
    """No answer."""

    code = "no-answer"
    title = "The engine did not answer"

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail, "Read its log.")
        self.trouble = trouble


class EngineAsker:
    """HTTP client of one replica. All questions raise `AskError`."""

    def __init__(self, target: ArmTarget) -> None:
        self.target = target
        self._client = httpx.AsyncClient(
            base_url=target.url,
            trust_env=False,
            verify=target.url.startswith("https:"),
            headers={"authorization": f"Bearer {target.api_key}"} if target.api_key else {},
            # A connection that idles takes one of llama.cpp's few HTTP threads (decision 6).
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def next_token(self, prefix: str, logprobs: int, deadline_s: float, *, perplexity: bool) -> Completion:
        """Which token comes after a text."""
        wanted = perplexity and self.target.prompt_logprobs
        return await self._ask(
            _COMPLETIONS, next_token_body(self.target.model, prefix, logprobs, perplexity=wanted), deadline_s
        )

    async def answer(self, prompt: str, max_tokens: int, deadline_s: float, *, chat: bool) -> Completion:
        """The greedy answer to a prompt."""
        body = answer_body(self.target.model, prompt, max_tokens, chat=chat) | self.target.sampling
        return await self._ask(_CHAT if chat else _COMPLETIONS, body, deadline_s)

    async def again(self, request: dict[str, Any], deadline_s: float) -> Completion:
        """The answer to a user's request: as it was, but in one piece and by this engine's name of the model."""
        body = {key: value for key, value in request.items() if key not in ("stream", "stream_options", "user")}
        body["model"] = self.target.model
        return await self._ask(_CHAT if "messages" in body else _COMPLETIONS, body, deadline_s)

    async def speaks_chat(self, deadline_s: float) -> bool:
        """Whether it answers conversations: a model without a chat template does not."""
        try:
            await self.answer("Hello", 1, deadline_s, chat=True)
        except AskError as error:
            if error.trouble != "refused":
                raise
            return False
        return True

    async def timing(self, prompt: str, max_tokens: int, deadline_s: float, *, chat: bool) -> Timing:
        """How fast it streams an answer; errors are part of it."""
        body = answer_body(self.target.model, prompt, max_tokens, chat=chat) | self.target.sampling
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        arrivals: list[float] = []
        tokens = 0
        try:
            async with self._answering(_CHAT if chat else _COMPLETIONS, body, deadline_s) as response:
                async for line in response.aiter_lines():
                    if not line.startswith("data:") or line.endswith("[DONE]"):
                        continue
                    event = _event(line)
                    tokens = (event.get("usage") or {}).get("completion_tokens") or tokens
                    if any(_piece(choice) for choice in event.get("choices") or ()):
                        arrivals.append((time.monotonic() - began) * 1000)
        except AskError as error:
            return Timing(error=error.detail)
        if not arrivals:
            return Timing(error="it streamed no text")
        gaps = tuple(round(b - a, 3) for a, b in pairwise(arrivals))
        e2e_ms = (time.monotonic() - began) * 1000
        return Timing(ttft_ms=arrivals[0], gaps_ms=gaps, e2e_ms=e2e_ms, tokens=tokens or len(arrivals))

    async def _ask(self, path: str, body: dict[str, Any], deadline_s: float) -> Completion:
        async with self._answering(path, body, deadline_s) as response:
            content = await _bounded(response)
        try:
            return read_completion(content)
        except UnreadableAnswerError as error:
            raise AskError("failed", error.detail) from None

    @asynccontextmanager
    async def _answering(self, path: str, body: dict[str, Any], deadline_s: float) -> AsyncIterator[httpx.Response]:
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._client.stream("POST", path, json=body, timeout=deadline_s) as response,
            ):
                if response.status_code != 200:
                    raise _refusal(response.status_code, await _bounded(response))
                yield response
        except (TimeoutError, httpx.TimeoutException):
            raise AskError("late", f"no answer within {deadline_s:g} s") from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            raise AskError("late", f"it cannot be reached ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise AskError("failed", f"the answer broke off ({type(error).__name__})") from None


async def _bounded(response: httpx.Response) -> bytes:
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise AskError("failed", f"its answer has more than {MAX_ANSWER_BYTES >> 20} MiB")
    return content


def _refusal(status: int, content: bytes) -> AskError:
    trouble: Trouble = "late" if status in _BUSY else "refused" if status < 500 else "failed"
    try:
        error = json.loads(content)
        error = error.get("error") or error
        said = error.get("message") or ""
    except (ValueError, AttributeError, RecursionError):
        said = ""
    return AskError(trouble, f"HTTP {status}{f': {clean(str(said), one_line=True)[:_MAX_DETAIL]}' if said else ''}")


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line.removeprefix("data:"))
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or event.get("error"):
        raise AskError("failed", "it broke off its stream with an error")
    return event


def _piece(choice: Any) -> str:
    delta = choice.get("delta") or {}
    return delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or choice.get("text") or ""
