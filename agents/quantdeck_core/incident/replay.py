"""The lesson's question in an incident: is it the quantization, or is it upstream? Flagged prompts, asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import Literal

import msgspec

Conclusion = Literal["quantization", "upstream", "unclear", "nothing-to-replay"]

ENOUGH = 3
"""Prompts that both arms answered again; fewer decide nothing."""
AS_OFTEN = 0.5
"""A control that goes wrong at least half as often as the treatment goes wrong for the same reason."""
SURE = 0.05
"""One-sided p of Fisher's exact test (R. A. Fisher 1922) below which the treatment goes wrong more often: answers are
sampled, so that even a broken model answers some prompts well the second time."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One flagged prompt, asked again.

    Attributes:
        flags: what was wrong with the answer that the user got.
        control, treatment: what is wrong with the answer now; None where the arm did not answer (`error` says why).
        prompt: the request's body; only in an export.
    """

    t: float
    flags: tuple[str, ...]
    control: tuple[str, ...] | None = None
    treatment: tuple[str, ...] | None = None
    error: str = ""
    prompt: str = ""


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all of them.

    Attributes:
        control_flagged, treatment_flagged: of those that both answered, how many went wrong again.
    """

    conclusion: Conclusion
    text: str
    compared: int
    control_flagged: int
    treatment_flagged: int
    prompts: tuple[Replayed, ...] = ()


def conclude(prompts: Sequence[Replayed]) -> ReplayReport:
    """Hold what the control answered to the flagged prompts against what the treatment did, one kind of flag at a time:
    a prompt that every model answers with nothing says nothing about why another one loops."""
    both = [one for one in prompts if one.control is not None and one.treatment is not None]
    conclusion, text = _judged(prompts, both)
    return ReplayReport(
        conclusion=conclusion,
        text=text,
        compared=len(both),
        control_flagged=sum(bool(one.control) for one in both),
        treatment_flagged=sum(bool(one.treatment) for one in both),
        prompts=tuple(prompts),
    )


def more_often(treatment: int, control: int, each: int) -> float:
    """Fisher's exact test: how likely no fewer of `each` go wrong on the treatment, of all that went wrong on either,
    where both arms are alike."""
    wrong = treatment + control
    ways = sum(comb(each, on) * comb(each, wrong - on) for on in range(treatment, min(each, wrong) + 1))
    return ways / comb(2 * each, wrong)


def _judged(asked: Sequence[Replayed], both: Sequence[Replayed]) -> tuple[Conclusion, str]:
    if not asked:
        return (
            "nothing-to-replay",
            "No flagged prompt is held: none was flagged, or the profiles do not allow keeping them.",
        )
    flags = Counter(flag for one in both for flag in one.flags)
    kinds = [_of_one_kind(flag, [one for one in both if flag in one.flags]) for flag, _ in flags.most_common()]
    said = {kind: [counts for one, counts in kinds if one == kind] for kind in _SENTENCES}
    sentences = [_SENTENCES[kind].format("; ".join(counts)) for kind, counts in said.items() if counts]
    if len(both) < len(asked):
        sentences.append(f"{len(asked) - len(both)} of {len(asked)} were not answered by both arms.")
    worst: Conclusion = next((kind for kind, counts in said.items() if counts), "unclear")
    return worst, " ".join(sentences)


def _of_one_kind(flag: str, prompts: Sequence[Replayed]) -> tuple[Conclusion, str]:
    """The conclusion for the prompts whose answers had this flag, and the counts behind it."""
    control = sum(flag in (one.control or ()) for one in prompts)
    treatment = sum(flag in (one.treatment or ()) for one in prompts)
    counts = f"{flag}: of {len(prompts)} prompts {control} on the control, {treatment} again on the treatment"
    if len(prompts) >= ENOUGH:
        if control >= ENOUGH and control >= AS_OFTEN * treatment:
            return "upstream", counts
        if more_often(treatment, control, len(prompts)) < SURE:
            return "quantization", counts
    return "unclear", counts


_SENTENCES: dict[Conclusion, str] = {
    "quantization": "It is the quantization, or how it is served ({}). Keep the treatment at 0 %.",
    "upstream": "It is upstream of the quantization ({}). Look at the prompts and what sends them.",
    "unclear": "Unclear ({}). Ask again with more prompts, or compare the answers by hand.",
}
"""The worst first: what is true of one kind of flag is not undone by another kind."""
