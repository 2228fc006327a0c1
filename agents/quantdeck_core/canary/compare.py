"""Two samples beside each other: control and treatment, or an arm and its own past."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

import msgspec

from quantdeck_core.canary.report import ArmFigures, Distance
from quantdeck_core.canary.sample import ArmSample, PromptSample
from quantdeck_core.canary.tokenizers import TokenizerMatch, match_tokenizers
from quantdeck_core.canary.top import kl_divergence, same_top
from quantdeck_core.quality.signals import text_signals

Pair = tuple[PromptSample, PromptSample]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What two samples have in common.

    Attributes:
        apart: over all prompts; `short` and `long` are parts of it.
        alike: share of greedy answers that are the same; None where nothing was answered by both.
        both: prompts that both answered.
        refused, failed: prompts that the first answered and the second did not; `example` what it said to one.
    """

    match: TokenizerMatch
    apart: Distance
    short: Distance
    long: Distance
    alike: float | None
    both: int
    refused: int
    failed: int
    example: str


def compare(first: ArmSample, second: ArmSample) -> Comparison:
    """Compare answers to the same set; prompts that one of them did not answer are left out."""
    others = {one.id: one for one in second.prompts}
    asked = [(one, others[one.id]) for one in first.prompts if one.id in others]
    pairs = [pair for pair in asked if not pair[0].trouble and not pair[1].trouble]
    lost = [pair[1] for pair in asked if not pair[0].trouble and pair[1].trouble]
    match = match_tokenizers(pairs)
    usable = [pair for pair in pairs if pair[0].id not in match.odd] if match.same else []
    return Comparison(
        match=match,
        apart=_distance(usable),
        short=_distance(pair for pair in usable if not pair[0].long),
        long=_distance(pair for pair in usable if pair[0].long),
        alike=sum(a.answer == b.answer for a, b in pairs) / len(pairs) if pairs else None,
        both=len(pairs),
        refused=sum(one.trouble == "refused" for one in lost),
        failed=sum(one.trouble == "failed" for one in lost),
        example=next((one.detail for one in lost if one.trouble != "late"), ""),
    )


def _distance(pairs: Iterable[Pair]) -> Distance:
    means: dict[str, float] = {}
    same = positions = 0
    for first, second in pairs:
        both = zip(first.positions, second.positions, strict=False)
        tops = [(a.top, b.top) for a, b in both if a.top is not None and b.top is not None]
        if not tops:
            continue
        means[first.id] = sum(kl_divergence(a, b) for a, b in tops) / len(tops)
        same += sum(same_top(a, b) for a, b in tops)
        positions += len(tops)
    if not means:
        return Distance()
    worst = max(means, key=lambda name: means[name])
    return Distance(
        prompts=len(means),
        positions=positions,
        mean_kl=round(sum(means.values()) / len(means), 5),
        max_kl=round(means[worst], 5),
        worst=worst,
        same_top=round(same / positions, 4),
    )


def figures(sample: ArmSample) -> ArmFigures:
    """Count an arm's signals."""
    answered = [one for one in sample.prompts if not one.trouble]
    signals = [text_signals(one.answer) for one in answered]
    troubles = [one.trouble for one in sample.prompts]
    perplexities = [log(one.perplexity) for one in answered if one.perplexity]
    # An engine that counts no tokens counts none anywhere.
    counted = all(one.completion_tokens is not None for one in answered)
    lengths = [
        (one.completion_tokens or 0) if counted else signal.words for one, signal in zip(answered, signals, strict=True)
    ]
    return ArmFigures(
        engine=sample.engine,
        epoch=sample.epoch,
        answered=len(answered),
        refused=troubles.count("refused"),
        failed=troubles.count("failed"),
        late=troubles.count("late"),
        repetition=sum(one.repetition for one in signals),
        refusal=sum(one.refusal for one in signals),
        empty=sum(not one.answer.strip() for one in answered),
        truncated=sum(one.finish == "length" for one in answered),
        coherence=round(sum(one.coherence for one in signals) / len(signals), 4) if signals else 1.0,
        tokens=round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
        broken=sum(position.broken for one in sample.prompts for position in one.positions),
        perplexity=round(exp(sum(perplexities) / len(perplexities)), 3) if perplexities else None,
    )
