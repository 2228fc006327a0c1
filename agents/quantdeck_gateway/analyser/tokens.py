"""Counts what engines say about tokens, so that the gateway need not look for it in each answer."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.signals import AnswerSignals, Signal
from quantdeck_gateway.handover import TokenCount


def token_counts(signals: Iterable[Signal]) -> list[TokenCount]:
    """The tokens of users' answers, by arm; arms of which no engine said anything are left out."""
    counts: dict[tuple[str, VariantName], tuple[int, int]] = {}
    for one in signals:
        if isinstance(one, AnswerSignals) and not one.shadow and (one.prompt_tokens or one.completion_tokens):
            prompt, generation = counts.get((one.experiment, one.variant), (0, 0))
            prompt, generation = prompt + (one.prompt_tokens or 0), generation + (one.completion_tokens or 0)
            counts[one.experiment, one.variant] = prompt, generation
    return [TokenCount(*arm, *tokens) for arm, tokens in counts.items()]
