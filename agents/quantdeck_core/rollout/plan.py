"""The plan of a rollout: its steps, what each of them waits for, and the lesson's floor under all of them."""

from __future__ import annotations

import itertools
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.durations import spoken
from quantdeck_core.errors import InputError
from quantdeck_core.hashing import BUCKETS, bp_to_percent
from quantdeck_core.profile.names import Name

AB_TEST_MAX_BP = 1_000
"""Up to 10 % is an A/B test; above it the rollout is gradual."""
RESTART_BP = 500
"""After a rollback a treatment starts again from 5 %."""
SOAK_FLOOR_S = 24 * 3600.0
"""The lesson: "Always run at least 24 hours of A/B testing at 10% traffic before increasing the rollout fraction"."""
MISSING_DEADLINE_S = 900.0
"""15 minutes without metrics; without a plan that could say otherwise, always."""
MIN_DEADLINE_S = 5.0
"""Shorter, and one slow tick would roll back."""

MAX_DEADLINE_S = 86_400.0
MAX_HOLD_BACK_BP = 5_000

Seconds = Annotated[float, Meta(ge=0, le=366 * 86_400)]
Text = Annotated[str, Meta(max_length=500)]
Milliseconds = Annotated[float, Meta(gt=0, le=3_600_000)]


class PlanStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step.

    Attributes:
        weight_bp: basis points of users on the treatment.
        soak_s: seconds of good behaviour at this weight before the next step.
        min_outputs: answers of the treatment at this weight before the next step.
    """

    weight_bp: Annotated[int, Meta(ge=1, le=BUCKETS)]
    soak_s: Seconds = 0.0
    min_outputs: Annotated[int, Meta(ge=0, le=10**9)] = 0


class PlanGate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold before a step.

    Attributes:
        ttft_p95_ms, itl_p95_ms, e2e_p95_ms: the latency objective of the treatment, 95th percentiles; None: not judged.
        error_rate: highest share of failed answers of the treatment, absolute; the default is ours.
        canary: the fixed prompts must have passed.
        latency_profile: the treatment's latency must have been measured before its first user.
    """

    ttft_p95_ms: Milliseconds | None = None
    itl_p95_ms: Milliseconds | None = None
    e2e_p95_ms: Milliseconds | None = None
    error_rate: Annotated[float, Meta(ge=0, le=1)] = 0.02
    canary: bool = True
    latency_profile: bool = True


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as it is carried out. `check_plan` says whether it may be.

    Attributes:
        name: of the rollout.
        experiment: whose treatment it is.
        hold_back_bp: basis points of users that stay on the control after the last step, so that drift still shows.
        shadow_bp: with no hold-back, basis points of the treatment's requests that are copied to the control instead.
        missing_deadline_s: seconds without metrics after which everyone goes back to the control.
        skip_soak_reason: why the lesson's 24 hours are not kept; empty where they are.
    """

    name: Name
    experiment: Name
    steps: Annotated[tuple[PlanStep, ...], Meta(min_length=1, max_length=50)]
    hold_back_bp: Annotated[int, Meta(ge=0, le=MAX_HOLD_BACK_BP)] = 200
    shadow_bp: Annotated[int, Meta(ge=0, le=BUCKETS)] = 100
    missing_deadline_s: Annotated[float, Meta(ge=MIN_DEADLINE_S, le=MAX_DEADLINE_S)] = MISSING_DEADLINE_S
    gate: PlanGate = PlanGate()
    skip_soak_reason: Text = ""

    @property
    def full_bp(self) -> int:
        """The weight that means everyone but the hold-back."""
        return BUCKETS - self.hold_back_bp

    def restarted(self) -> RolloutPlan:
        """The same plan after a rollback: a fresh A/B test from 5 % comes first (the lesson's answer to Q3)."""
        first = self.steps[0]
        if first.weight_bp <= RESTART_BP:
            return self
        return msgspec.structs.replace(self, steps=(msgspec.structs.replace(first, weight_bp=RESTART_BP), *self.steps))


def skips_floor(plan: RolloutPlan) -> bool:
    """Whether it goes above 10 % with less than 24 hours of soak up to there."""
    return plan.steps[-1].weight_bp > AB_TEST_MAX_BP and _ab_soak_s(plan) < SOAK_FLOOR_S


def check_plan(plan: RolloutPlan) -> None:
    """Whether a plan may be carried out.

    Raises:
        InputError: a figure is out of range, the weights do not rise from an A/B test or leave less than the hold-back,
            or they skip the lesson's soak without a reason.
    """
    _check_figures(plan)
    _check_weights([step.weight_bp for step in plan.steps], plan)
    if skips_floor(plan) and not plan.skip_soak_reason.strip():
        raise InputError(
            f"{plan.name} goes above {bp_to_percent(AB_TEST_MAX_BP)} % after a soak of {spoken(_ab_soak_s(plan))}.",
            f"Soak for {spoken(SOAK_FLOOR_S)} at up to {bp_to_percent(AB_TEST_MAX_BP)} %, or say why not with "
            '`skip_soak_reason = "..."`; it is recorded.',
        )


def _ab_soak_s(plan: RolloutPlan) -> float:
    return sum(step.soak_s for step in plan.steps if step.weight_bp <= AB_TEST_MAX_BP)


def _check_figures(plan: RolloutPlan) -> None:
    if plan.hold_back_bp > MAX_HOLD_BACK_BP:
        raise InputError(
            f"A hold-back of {bp_to_percent(plan.hold_back_bp)} % is no full rollout.",
            f"Hold back at most {bp_to_percent(MAX_HOLD_BACK_BP)} %, or end the plan with a lower step.",
        )
    if not MIN_DEADLINE_S <= plan.missing_deadline_s <= MAX_DEADLINE_S:
        raise InputError(
            f"A deadline of {spoken(plan.missing_deadline_s)} for missing metrics is out of range.",
            f"Give {spoken(MIN_DEADLINE_S)} to {spoken(MAX_DEADLINE_S)}; the default is {spoken(MISSING_DEADLINE_S)}.",
        )


def _check_weights(weights: list[int], plan: RolloutPlan) -> None:
    if not 0 < weights[0] <= AB_TEST_MAX_BP:
        raise InputError(
            f"The first step of {plan.name} is {bp_to_percent(weights[0])} %.",
            f"Begin with an A/B test of more than 0 and at most {bp_to_percent(AB_TEST_MAX_BP)} %.",
        )
    for number, (lower, higher) in enumerate(itertools.pairwise(weights), 2):
        if higher <= lower:
            raise InputError(
                f"Step {number} of {plan.name} is {bp_to_percent(higher)} %, after {bp_to_percent(lower)} %.",
                f"The weight rises with every step; 100 stands for {bp_to_percent(plan.full_bp)} %, which is everyone "
                "but the hold-back.",
            )
    if weights[-1] > plan.full_bp:
        raise InputError(
            f"A step of {bp_to_percent(weights[-1])} % leaves less than the hold-back of "
            f"{bp_to_percent(plan.hold_back_bp)} %.",
            "Write 100 for everyone but the hold-back, or lower `hold_back`.",
        )
