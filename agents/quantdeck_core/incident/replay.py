"""The lesson's question in an incident: is it the quantization, or is it upstream? Flagged prompts, asked again."""

from __future__ import annotations

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
    """Hold what the control answered to the flagged prompts against what the treatment did."""
    both = [one for one in prompts if one.control is not None and one.treatment is not None]
    control, treatment = sum(bool(one.control) for one in both), sum(bool(one.treatment) for one in both)
    conclusion, text = _judged(len(prompts), len(both), control, treatment)
    return ReplayReport(
        conclusion=conclusion,
        text=text,
        compared=len(both),
        control_flagged=control,
        treatment_flagged=treatment,
        prompts=tuple(prompts),
    )


def more_often(treatment: int, control: int, each: int) -> float:
    """Fisher's exact test: how likely no fewer of `each` go wrong on the treatment, of all that went wrong on either,
    where both arms are alike."""
    wrong = treatment + control
    ways = sum(comb(each, on) * comb(each, wrong - on) for on in range(treatment, min(each, wrong) + 1))
    return ways / comb(2 * each, wrong)


def _judged(asked: int, compared: int, control: int, treatment: int) -> tuple[Conclusion, str]:
    if not asked:
        return (
            "nothing-to-replay",
            "No flagged prompt is held: none was flagged, or the profiles do not allow keeping them.",
        )
    counts = f"of {compared} flagged prompts the control goes wrong on {control}, the treatment again on {treatment}"
    if compared < ENOUGH:
        return "unclear", f"Too few to decide: {counts}, and {asked - compared} were not answered by both."
    if control >= ENOUGH and control >= AS_OFTEN * treatment:
        return "upstream", f"It is upstream of the quantization: {counts}. Look at the prompts and what sends them."
    if more_often(treatment, control, compared) < SURE:
        return "quantization", f"It is the quantization, or how it is served: {counts}. Keep the treatment at 0 %."
    return "unclear", f"Unclear: {counts}. Ask again with more prompts, or compare the answers by hand."
