"""Users: requests through a gateway for as long as a test lasts, each answer looked at."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx

from support.waiting import eventually

PROMPT = "the engine answers"


@dataclass
class Traffic:
    """What came of the requests.

    Attributes:
        streams: every other answer is asked for as a stream.
        by_variant: whole answers by the variant that the gateway named.
        failures: what was not a whole answer, in words, with the seconds since the start.
    """

    url: str
    max_tokens: int
    streams: bool = True
    answered: int = 0
    by_variant: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    async def more(self, answers: int, seconds: float = 30.0) -> None:
        """Wait until so many more have been answered."""
        wanted = self.answered + answers
        await eventually(lambda: self.answered >= wanted, seconds, f"{answers} more answers; {self.failures[-3:]}")

    async def user(self, name: str) -> None:
        """One request after the other, by turns whole and streamed."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as http:
            stream = False
            while True:
                stream = self.streams and not stream
                try:
                    variant = await self._ask(http, name, stream)
                except (httpx.HTTPError, ValueError) as error:
                    at = time.monotonic() - self.began
                    self.failures.append(f"{at:.2f} s: {type(error).__name__}: {error}")
                    await asyncio.sleep(0.05)
                    continue
                self.answered += 1
                self.by_variant[variant] += 1
                await asyncio.sleep(0.01)

    async def _ask(self, http: httpx.AsyncClient, name: str, stream: bool) -> str:
        body = {"model": "assistant", "prompt": PROMPT, "max_tokens": self.max_tokens, "stream": stream}
        response = await http.post("/v1/completions", json=body, headers={"x-user-id": name})
        if response.status_code != 200:
            raise ValueError(f"{response.status_code} {response.text[:200]}")
        if stream and "data: [DONE]" not in response.text:
            raise ValueError(f"stream without its end: {response.text[-200:]!r}")
        if not stream and not json.loads(response.content)["choices"]:
            raise ValueError("no choices")
        return str(response.headers["x-quantdeck-variant"])


@contextlib.asynccontextmanager
async def traffic(
    url: str, users: int | Sequence[str] = 3, max_tokens: int = 8, *, streams: bool = True
) -> AsyncIterator[Traffic]:
    """Users who ask until the end of the block; what they have begun is read to its end.

    Args:
        users: how many, or their names.
    """
    seen = Traffic(url, max_tokens, streams)
    names = [f"user-{number}" for number in range(users)] if isinstance(users, int) else users
    tasks = [asyncio.create_task(seen.user(name)) for name in names]
    try:
        await seen.more(len(names))
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
