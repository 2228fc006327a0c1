"""Samples of arms as an engine would give them, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import log

from quantdeck_core.canary.builtin import builtin_prompts
from quantdeck_core.canary.prompt import CanaryPrompt, prefixes, set_id
from quantdeck_core.canary.sample import ArmSample, Position, PromptSample
from quantdeck_core.canary.top import TopTokens, top_tokens
from quantdeck_core.protocol.gateway import VariantName

PROMPTS = builtin_prompts()
GOOD = {"the": 0.6, "a": 0.3, "no": 0.05}
Shape = Callable[[CanaryPrompt], PromptSample]


def top(shares: dict[str, float]) -> TopTokens:
    """Of probabilities."""
    made = top_tokens((token, log(share)) for token, share in shares.items())
    assert made is not None
    return made


def said(
    prompt: CanaryPrompt,
    shares: dict[str, float] | None = GOOD,
    *,
    answer: str = "It is the sea.",
    extra_tokens: int = 0,
    broken: bool = False,
) -> PromptSample:
    """A prompt's sample with the same distribution everywhere; None for an engine that gives none."""
    named = None if shares is None or broken else top(shares)
    positions = tuple(Position(len(one) // 4 + extra_tokens, named, broken) for one in prefixes(prompt))
    return PromptSample(
        id=prompt.id, long=prompt.long, positions=positions, answer=answer, finish="stop", completion_tokens=5
    )


def sample(variant: VariantName, shape: Shape = said, *, epoch: int = 1, at: float = 100.0, why: str = "") -> ArmSample:
    """An arm's answers to the built-in set."""
    prompts = tuple(shape(prompt) for prompt in PROMPTS)
    engine = f"{variant}.{epoch}"
    return ArmSample(
        variant=variant, engine=engine, epoch=epoch, at=at, set_id=set_id(PROMPTS), prompts=prompts, why_no_logprobs=why
    )
