"""What a canary found, in figures and in one sentence."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.protocol.gateway import VariantName

Outcome = Literal["passed", "failed", "unavailable"]
"""`unavailable`: an arm could not be asked, so nothing is known: no reason to move on, and none to roll back."""
Suspect = Literal["", "control", "treatment", "both"]


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far the next-token distributions of two samples are apart.

    Attributes:
        prompts, positions: that could be compared.
        mean_kl: over prompts, nats; a prompt's is the mean over its positions. None where nothing was compared.
        max_kl: of the worst prompt, which is `worst`.
        same_top: share of positions, 0..1, at which both think the same token most likely.
    """

    prompts: int = 0
    positions: int = 0
    mean_kl: float | None = None
    max_kl: float | None = None
    worst: str = ""
    same_top: float | None = None


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One arm.

    Attributes:
        engine: the replica that was asked.
        epoch: of what it serves.
        answered: prompts with an answer; `refused`, `failed` and `late` have none, `refusal` answers decline.
        repetition, refusal, empty, truncated: answers with that signal. Greedy answers of small models loop and are cut
            on both arms: only the difference says something.
        tokens: mean length of the answers; words where the engine counts none.
        broken: positions whose log probabilities are no numbers.
        perplexity: geometric mean over the prompts; None where the engine does not tell.
    """

    engine: str
    epoch: int
    answered: int
    refused: int = 0
    failed: int = 0
    late: int = 0
    repetition: int = 0
    refusal: int = 0
    empty: int = 0
    truncated: int = 0
    coherence: float = 1.0
    tokens: float = 0.0
    broken: int = 0
    perplexity: float | None = None


class CanaryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        at: UNIX time of its end; `seconds` what it took.
        reason: one sentence; `hint` what to do next, empty where nothing is to be done.
        suspect: who is to blame where it failed, as far as can be told.
        prompts: in the set; `set_id` its digest.
        control, treatment: None where an arm was not asked.
        apart: control and treatment; `short` and `long` the same by prompt length (see `prompt.LONG_CHARS`).
        control_own, treatment_own: each from what it said when it passed first with this set; None without such a run.
        alike: share of prompts whose greedy answers are the same text.
        note: what else should be known, e.g. that log probabilities could not be compared.
    """

    outcome: Outcome
    at: float
    seconds: float
    reason: str
    hint: str = ""
    suspect: Suspect = ""
    prompts: int = 0
    set_id: str = ""
    control: ArmFigures | None = None
    treatment: ArmFigures | None = None
    apart: Distance | None = None
    short: Distance | None = None
    long: Distance | None = None
    control_own: Distance | None = None
    treatment_own: Distance | None = None
    alike: float | None = None
    note: str = ""

    def figures(self, variant: VariantName) -> ArmFigures | None:
        """Of one arm."""
        return self.control if variant == "control" else self.treatment

    def is_of(self, control_epoch: int, treatment_epoch: int) -> bool:
        """Whether it says something of just these two."""
        ours = (self.control.epoch if self.control else None, self.treatment.epoch if self.treatment else None)
        return ours == (control_epoch, treatment_epoch)


def unavailable(reason: str, at: float, *, seconds: float = 0.0, hint: str = "") -> CanaryReport:
    """Where no arm could be asked at all."""
    return CanaryReport(outcome="unavailable", at=at, seconds=seconds, reason=reason, hint=hint)
