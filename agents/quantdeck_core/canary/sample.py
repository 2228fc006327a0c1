"""What one arm said to the prompts of a canary."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.canary.top import TopTokens
from quantdeck_core.protocol.gateway import VariantName

KEPT_TOKENS = 8
"""Tokens of a distribution that are remembered for the next run."""
MAX_ANSWER_CHARS = 2_000

Trouble = Literal["", "refused", "failed", "late"]
"""Why there is no answer. `refused`: 4xx, e.g. longer than the context; `failed`: 5xx, no completion, or cut off;
`late`: not within the deadline, or not reached before the run's own ended."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """One prefix.

    Attributes:
        prompt_tokens: as the engine counts; None where it does not say.
        top: of the next token; None where none was given.
        broken: log probabilities were given and are no numbers.
    """

    prompt_tokens: int | None = None
    top: TopTokens | None = None
    broken: bool = False


class PromptSample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One prompt.

    Attributes:
        trouble: why it has no answer, `detail` in words.
        positions: one for each prefix, in their order.
        answer: the greedy one, cut at `MAX_ANSWER_CHARS`.
        perplexity: of the prompt itself; None where the engine does not tell.
    """

    id: str
    long: bool = False
    trouble: Trouble = ""
    detail: str = ""
    positions: tuple[Position, ...] = ()
    answer: str = ""
    finish: str = ""
    completion_tokens: int | None = None
    perplexity: float | None = None


class ArmSample(msgspec.Struct, frozen=True, kw_only=True):
    """One arm.

    Attributes:
        engine: the replica that was asked, e.g. `control.3`.
        epoch: of what it serves.
        at: UNIX time of the beginning, seconds.
        set_id: digest of the prompts.
        why_no_logprobs: in words; empty where the engine gives them.
    """

    variant: VariantName
    engine: str
    epoch: int
    at: float
    set_id: str
    prompts: tuple[PromptSample, ...]
    why_no_logprobs: str = ""


def compact(sample: ArmSample) -> ArmSample:
    """What is remembered of it to compare with: fewer tokens a position, and no answers."""

    def short(position: Position) -> Position:
        if position.top is None:
            return position
        top = TopTokens(position.top.tokens[:KEPT_TOKENS], position.top.logprobs[:KEPT_TOKENS])
        return Position(position.prompt_tokens, top, position.broken)

    prompts = tuple(
        msgspec.structs.replace(one, positions=tuple(map(short, one.positions)), answer="") for one in sample.prompts
    )
    return msgspec.structs.replace(sample, prompts=prompts)
