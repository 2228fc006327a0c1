"""Whether two arms cut the same text into the same tokens; if not, log probabilities are not comparable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from quantdeck_core.canary.sample import PromptSample

MAX_ODD_SHARE = 0.2
"""Prompts counted differently before the vocabularies are called different: tokenizers of two engines for one
vocabulary differ in single scripts at times, and such prompts are only left out."""
MIN_SHARED_MASS = 0.5
"""Share of most likely tokens that the other arm must ever name, where no token counts tell vocabularies apart."""


class TokenizerMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        same: they can be compared.
        odd: prompts to leave out.
        why: what differs, in words; empty where nothing does.
    """

    same: bool
    odd: frozenset[str] = frozenset()
    why: str = ""


def match_tokenizers(pairs: Iterable[tuple[PromptSample, PromptSample]]) -> TokenizerMatch:
    """Compare token counts of every prefix of every prompt, and the texts of the tokens that are named.

    A difference that is the same everywhere is a beginning-of-text token that only one of them adds.

    Args:
        pairs: control's and treatment's sample of each prompt that both answered.
    """
    answered = list(pairs)
    counts = {
        control.id: [
            (a.prompt_tokens, b.prompt_tokens)
            for a, b in zip(control.positions, treatment.positions, strict=False)
            if a.prompt_tokens is not None and b.prompt_tokens is not None
        ]
        for control, treatment in answered
    }
    differences = Counter(b - a for found in counts.values() for a, b in found)
    usual = differences.most_common(1)[0][0] if differences else 0
    odd = frozenset(name for name, found in counts.items() if any(b - a != usual for a, b in found))
    if len(odd) > MAX_ODD_SHARE * max(1, len(answered)):
        name = min(odd)
        a, b = next(pair for pair in counts[name] if pair[1] - pair[0] != usual)
        why = f"{len(odd)} of {len(answered)} prompts have other token counts, e.g. {a} against {b} tokens in {name}"
        return TokenizerMatch(same=False, odd=odd, why=why)
    tops = _tops(answered)
    if _by_number(tops[0]) != _by_number(tops[1]):
        return TokenizerMatch(
            same=False, odd=odd, why="one arm names tokens by their numbers, the other by their texts"
        )
    # Garbage names strange tokens too: where the counts agree it is garbage and no other vocabulary.
    strange = "" if differences else _strangers(answered, tops)
    return TokenizerMatch(same=not strange, odd=odd, why=strange)


def _tops(answered: list[tuple[PromptSample, PromptSample]]) -> tuple[list[str], list[str]]:
    """The most likely token of every position, of each arm."""
    control, treatment = (
        [position.top.tokens[0] for pair in answered for position in pair[side].positions if position.top is not None]
        for side in (0, 1)
    )
    return control, treatment


def _by_number(tops: list[str]) -> bool:
    """Whether they are written as vLLM does with `--return-tokens-as-token-ids`."""
    return bool(tops) and all(top.startswith("token_id:") for top in tops)


def _strangers(answered: list[tuple[PromptSample, PromptSample]], tops: tuple[list[str], list[str]]) -> str:
    """Say so where the two name tokens of different texts nearly everywhere, e.g. with and without their space."""
    if not tops[0] or not tops[1]:
        return ""
    known = [
        {token for pair in answered for one in pair[side].positions if one.top is not None for token in one.top.tokens}
        for side in (0, 1)
    ]
    shared = max(sum(top in known[1 - side] for top in tops[side]) / len(tops[side]) for side in (0, 1))
    if shared >= MIN_SHARED_MASS:
        return ""
    return f"only {100 * shared:.0f} % of the most likely tokens of one arm are tokens that the other ever names"
