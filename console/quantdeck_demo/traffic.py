"""Two hundred users who ask, politely: a bounded rate, a bounded number at once, every answer looked at."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from typing import Any

import httpx
import msgspec

from quantdeck_demo.split_check import SplitCheck

USERS = tuple(f"user-{number:03d}" for number in range(200))
MAX_AT_ONCE = 12
ANSWER_DEADLINE_S = 60.0
MAX_TOKENS = 200


class Traffic:
    """Asks at a steady rate until cancelled; half streamed, half chat, each user in turn.

    Args:
        rate: requests per second.
    """

    def __init__(self, url: str, served_name: str, prompts: list[str], check: SplitCheck, rate: float) -> None:
        self._served_name, self._prompts, self._check, self._rate = served_name, prompts, check, rate
        limits = httpx.Limits(max_connections=MAX_AT_ONCE, max_keepalive_connections=MAX_AT_ONCE)
        self._http = httpx.AsyncClient(base_url=url, timeout=ANSWER_DEADLINE_S, limits=limits, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._random = random.Random(7)
        self.requests = 0
        self.errors: Counter[str] = Counter()
        self.streams_broken = 0
        self.answers: Counter[str] = Counter()
        """Answers by variant."""
        self.arms_seen: defaultdict[int, dict[str, str]] = defaultdict(dict)
        """For each settled weight, the arm that answered each user last."""

    async def run(self) -> None:
        """Ask until cancelled, then wait for the answers that are under way."""
        began, number = time.monotonic(), 0
        try:
            while True:
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                # Where answers are slow, the next user waits; nobody is left out.
                await self._slots.acquire()
                self._start(number)
                number += 1
        finally:
            await asyncio.shield(self._finish())

    def _start(self, number: int) -> None:
        task = asyncio.create_task(self._ask(number))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _finish(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _ask(self, number: int) -> None:
        user = USERS[number % len(USERS)]
        prompt = self._random.choice(self._prompts)
        chat, stream = number % 2 == 0, number % 4 < 2
        body: dict[str, Any] = {"model": self._served_name, "max_tokens": MAX_TOKENS, "stream": stream}
        body |= {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
        path = "/v1/chat/completions" if chat else "/v1/completions"
        weights = self._check.now()
        self.requests += 1
        try:
            async with self._http.stream("POST", path, json=body, headers={"x-user-id": user}) as response:
                variant = response.headers.get("x-quantdeck-variant", "none")
                self._check.answered(user, variant, weights)
                settled = self._check.now()
                if len(settled) == 1 and settled == weights:
                    self.arms_seen[settled[0]][user] = variant
                content = await response.aread()
        except httpx.HTTPError as error:
            self.errors[type(error).__name__] += 1
            self.streams_broken += stream
            return
        if response.status_code != 200:
            self.errors[f"HTTP {response.status_code} {_code(content)} from {variant}"] += 1
        elif stream and not content.rstrip().endswith(b"data: [DONE]"):
            self.streams_broken += 1
        elif not stream and not _has_text(content):
            self.errors["unreadable answer"] += 1
        else:
            self.answers[variant] += 1


def _code(content: bytes) -> str:
    """The code in an OpenAI-style error body."""
    try:
        return str(msgspec.json.decode(content)["error"]["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "without a code"


def _has_text(content: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(content)["choices"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return False
