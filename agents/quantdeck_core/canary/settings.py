"""What an experiment may say about its canaries: the table `[canary]` of its file."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.canary.builtin import builtin_prompts
from quantdeck_core.canary.prompt import CanaryPrompt
from quantdeck_core.durations import parse_duration

_PERIOD = r"^[1-9][0-9]{0,5}(s|m|h|d)$"

Period = Annotated[str, Meta(pattern=_PERIOD, description="a whole number and s, m, h or d")]
Nats = Annotated[float, Meta(gt=0, le=100)]
Text = Annotated[str, Meta(min_length=1, max_length=200_000)]


class CanarySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked, how often, and what is too much.

    The scale of the limits is that of llama.cpp's `tools/perplexity/README.md` for Llama-3-8B (mean KL divergence in
    nats, same top token): Q8_0 0.0014, 97.7 %; Q4_K_M 0.031, 91.9 %; Q2_K 0.445, 71.1 %. KL is good for alarms and bad
    for ranking good quantizations (arXiv 2606.19558), so the defaults lie between what is served and what is broken.

    Attributes:
        prompts: the experiment's own texts; empty for the built-in ones.
        every: between two runs; one also comes after each start of an engine.
        max_kl: mean KL divergence of the treatment from the control, nats.
        max_prompt_kl: the same of one prompt: damage that few prompts meet drowns in the mean.
        min_same_top: share of positions where both think the same token most likely.
        max_own_kl: of an arm from what it said when it passed; ours, three times a healthy Q4_K_M from its original.
        max_signal_rise: rise over the control in the share of answers that loop, refuse or are empty; the lesson's
            0.15 for loops.
    """

    prompts: Annotated[tuple[Text, ...], Meta(max_length=200)] = ()
    every: Period = "1h"
    max_kl: Nats = 0.3
    max_prompt_kl: Nats = 1.0
    min_same_top: Annotated[float, Meta(ge=0, le=1)] = 0.75
    max_own_kl: Nats = 0.1
    max_signal_rise: Annotated[float, Meta(gt=0, le=1)] = 0.15

    def every_s(self) -> float:
        """Seconds between two runs."""
        return parse_duration(self.every)

    def prompt_set(self) -> tuple[CanaryPrompt, ...]:
        """What is asked."""
        if not self.prompts:
            return builtin_prompts()
        return tuple(CanaryPrompt(id=f"own-{number}", text=text) for number, text in enumerate(self.prompts, 1))
