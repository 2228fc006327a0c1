"""One arm answers the prompts of a canary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from quantdeck_agent.canaries.asker import AskError, EngineAsker
from quantdeck_agent.canaries.target import ArmLoad, ArmTarget
from quantdeck_core.canary.prompt import CanaryPrompt, prefixes, set_id
from quantdeck_core.canary.sample import MAX_ANSWER_CHARS, ArmSample, Position, PromptSample, Trouble
from quantdeck_core.canary.top import MOST
from quantdeck_core.canary.wire import Completion

ANSWER_TOKENS = 96
"""Enough for a loop to show: the rule wants 100 characters and five rounds."""
GIVE_UP_AFTER = 3
"""So many prompts in a row that were not answered in time: it hangs, and the rest is not tried."""
POLL_S = 0.5
_FEWER = 5
"""OpenAI's old limit of `logprobs`, where 20 are too many."""


class CanaryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may take.

    Attributes:
        request_s: for one request; `long_request_s` for one with a long prompt.
        arm_s: for all of an arm, waiting for users included.
        parallel: requests at once.
    """

    request_s: float = 60.0
    long_request_s: float = 180.0
    arm_s: float = 900.0
    parallel: int = 2


class ArmRun:
    """One run on one replica.

    Args:
        load: of the arm now: users go first.
    """

    def __init__(self, target: ArmTarget, load: Callable[[], ArmLoad], limits: CanaryLimits) -> None:
        self._target, self._load, self._limits = target, load, limits
        self._asker = EngineAsker(target)
        self._logprobs, self._why_none, self._chat = MOST, "", True
        self._found: dict[str, PromptSample] = {}
        self._late = 0
        self._waited = False

    async def sample(self, prompts: Sequence[CanaryPrompt]) -> ArmSample:
        """Ask all of them; one that is not answered says why."""
        began = time.time()
        left = list(reversed(prompts))
        workers = 1 if self._target.one_at_a_time else self._limits.parallel
        trouble: Trouble = "late"
        why = f"not reached within {self._limits.arm_s:g} s"
        try:
            async with asyncio.timeout(self._limits.arm_s):
                await self._learn()
                await asyncio.gather(*(self._work(left) for _ in range(workers)))
        except TimeoutError:
            if self._waited:
                why += ": its users were waiting, and it was left to them"
        except AskError as error:
            trouble, why = error.trouble, error.detail
        finally:
            await self._asker.close()
        if self._late >= GIVE_UP_AFTER:
            why = f"given up after {self._late} prompts without an answer in time"
        missing = {one.id: PromptSample(id=one.id, long=one.long, trouble=trouble, detail=why) for one in prompts}
        return ArmSample(
            variant=self._target.variant,
            engine=self._target.engine,
            epoch=self._target.epoch,
            at=began,
            set_id=set_id(prompts),
            prompts=tuple(self._found.get(one.id, missing[one.id]) for one in prompts),
            why_no_logprobs=self._why_none,
        )

    async def _learn(self) -> None:
        """What it can: log probabilities, and conversations.

        Raises:
            AskError: it does not answer at all.
        """
        refused: AskError | None = None
        for number in (MOST, _FEWER, 0):
            try:
                said = await self._next_token("Hello", number, self._limits.request_s)
            except AskError as error:
                # llama-cpp-python without `logits_all` fails with 500.
                if error.trouble == "late" or (error.trouble == "failed" and number == 0):
                    raise
                self._logprobs, self._why_none, refused = 0, error.detail, error
                continue
            refused = None
            if said.next is not None or said.broken:
                self._logprobs, self._why_none = number, ""
                break
            self._logprobs, self._why_none = 0, self._why_none or "its answers have none"
        await self._until_clear()
        self._chat = await self._asker.speaks_chat(self._limits.request_s)
        if refused and not self._chat:
            raise refused

    async def _work(self, left: list[CanaryPrompt]) -> None:
        while left and self._late < GIVE_UP_AFTER:
            prompt = left.pop()
            try:
                self._found[prompt.id] = await self._one(prompt)
                self._late = 0
            except AskError as error:
                self._late = self._late + 1 if error.trouble == "late" else 0
                self._found[prompt.id] = PromptSample(
                    id=prompt.id, long=prompt.long, trouble=error.trouble, detail=error.detail
                )

    async def _one(self, prompt: CanaryPrompt) -> PromptSample:
        deadline_s = self._limits.long_request_s if prompt.long else self._limits.request_s
        positions, perplexity = [], None
        for prefix in prefixes(prompt) if self._logprobs else ():
            whole = prefix == prompt.text
            said = await self._next_token(prefix, self._logprobs, deadline_s, perplexity=whole and not prompt.long)
            positions.append(Position(said.prompt_tokens, said.next, said.broken))
            perplexity = said.perplexity
        await self._until_clear()
        answer = await self._asker.answer(prompt.text, ANSWER_TOKENS, deadline_s, chat=self._chat)
        return PromptSample(
            id=prompt.id,
            long=prompt.long,
            positions=tuple(positions),
            answer=answer.text[:MAX_ANSWER_CHARS],
            finish=answer.finish,
            completion_tokens=answer.completion_tokens,
            perplexity=perplexity,
        )

    async def _next_token(
        self, prefix: str, logprobs: int, deadline_s: float, *, perplexity: bool = False
    ) -> Completion:
        await self._until_clear()
        return await self._asker.next_token(prefix, logprobs, deadline_s, perplexity=perplexity)

    async def _until_clear(self) -> None:
        """Wait while users wait, or while a request of ours would cut one off."""
        while (load := self._load()).waiting or (load.in_flight and self._target.one_at_a_time):
            self._waited = True
            await asyncio.sleep(POLL_S)
