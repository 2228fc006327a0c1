"""Questions to an engine: is it up, does it answer, what does it count."""

from __future__ import annotations

import httpx

from quantdeck_core.errors import UnreachableError

TOKEN_DEADLINE_S = 10.0
"""A health check that is green says little: an engine that hangs answers it too. A token within this time says more."""
WARMUP_PROMPTS = ("Hello", "Tell me about the weather today.", "What is a good way to begin a long story?")


class EngineProbe:
    """HTTP client of one engine."""

    def __init__(self, url: str, served_name: str) -> None:
        self._served_name = served_name
        self._client = httpx.AsyncClient(base_url=url, timeout=TOKEN_DEADLINE_S, trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def healthy(self) -> bool:
        """Whether `/health` is 200: the model is loaded."""
        try:
            return (await self._client.get("/health", timeout=2.0)).status_code == 200
        except httpx.HTTPError:
            return False

    async def one_token(self) -> None:
        """Have one token generated within the deadline.

        Raises:
            UnreachableError: it did not answer, or not with 200.
        """
        await self._complete("Hello", 1)

    async def warm_up(self, number: int) -> None:
        """Send the number-th warm-up request: the first ones of a fresh engine are slow.

        Raises:
            UnreachableError: as for `one_token`.
        """
        await self._complete(WARMUP_PROMPTS[number % len(WARMUP_PROMPTS)], 10)

    async def _complete(self, prompt: str, max_tokens: int) -> None:
        body = {"model": self._served_name, "prompt": prompt, "max_tokens": max_tokens}
        try:
            response = await self._client.post("/v1/completions", json=body)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"The engine gave no token within {TOKEN_DEADLINE_S:.0f} s ({type(error).__name__}).",
                "Read its log; restart it if it hangs.",
            ) from None
        if response.status_code != 200:
            raise UnreachableError(
                f"The engine answered a one-line prompt with {response.status_code}.", "Read its log."
            )
