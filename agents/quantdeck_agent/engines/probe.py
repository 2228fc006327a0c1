"""Questions to an engine: is it up, is it the one that is meant, does it answer."""

from __future__ import annotations

import httpx
import msgspec

from quantdeck_core.engines.interface import Interface
from quantdeck_core.errors import UnreachableError

TOKEN_DEADLINE_S = 10.0
"""A health check that is green says little: an engine that hangs answers it too. A token within this time says more."""
WARMUP_DEADLINE_S = 120.0
"""The first requests of a fresh engine may compile."""
_ASK_S = 2.0
WARMUP_PROMPTS = ("Hello", "Tell me about the weather today.", "What is a good way to begin a long story?")
"""The lesson's: short prompts of different lengths."""


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: tuple[_Model, ...] = ()


class WrongModelError(UnreachableError):
    """Another model answers at this address."""

    code = "wrong-model"
    title = "Another model answers"


class EngineProbe:
    """HTTP client of one engine.

    Args:
        model: the name by which the engine knows it.
    """

    def __init__(self, url: str, model: str, interface: Interface, key: str | None) -> None:
        self._model, self._interface = model, interface
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=TOKEN_DEADLINE_S,
            trust_env=False,
            verify=url.startswith("https:"),  # else it would read all certificates of the system for each engine
            headers={"authorization": f"Bearer {key}"} if key else {},
            # A connection that idles takes one of llama.cpp's few HTTP threads (decision 6).
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def healthy(self) -> bool:
        """Whether its health path is 200: the model is loaded."""
        try:
            return (await self._client.get(self._interface.health, timeout=_ASK_S)).status_code == 200
        except httpx.HTTPError:
            return False

    async def require_model(self) -> None:
        """Have it say that it serves the model that is meant.

        Raises:
            WrongModelError: it serves others: a stale server, or another checkpoint than was asked for.
            UnreachableError: it does not say.
        """
        try:
            response = await self._client.get("/v1/models")
            found = msgspec.json.decode(response.content, type=_Models) if response.status_code == 200 else None
        except (httpx.HTTPError, msgspec.MsgspecError):
            found = None
        if found is None:
            raise UnreachableError("The engine does not list its models.", "Is it an OpenAI-compatible server?")
        names = [model.id for model in found.data]
        if self._model not in names:
            raise WrongModelError(
                f"It serves {', '.join(names) or 'nothing'}, not {self._model!r}.",
                "Correct served_name in the profile (external: upstream_model), or find out who started the other one.",
            )

    async def one_token(self, deadline_s: float = TOKEN_DEADLINE_S) -> None:
        """Have one token generated within the deadline.

        Raises:
            UnreachableError: it did not answer, or not with 200.
        """
        await self._complete("Hello", 1, deadline_s)

    async def warm_up(self, number: int) -> None:
        """Send the number-th warm-up request: the first ones of a fresh engine are slow.

        Raises:
            UnreachableError: as for `one_token`.
        """
        await self._complete(WARMUP_PROMPTS[number % len(WARMUP_PROMPTS)], 10, WARMUP_DEADLINE_S)

    async def _complete(self, prompt: str, max_tokens: int, deadline_s: float) -> None:
        body = {"model": self._model, "prompt": prompt, "max_tokens": max_tokens}
        try:
            response = await self._client.post("/v1/completions", json=body, timeout=deadline_s)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"The engine gave no token within {deadline_s:.0f} s ({type(error).__name__}).",
                "Read its log; restart it if it hangs.",
            ) from None
        if response.status_code != 200:
            raise UnreachableError(
                f"The engine answered a one-line prompt with {response.status_code}.", "Read its log."
            )
